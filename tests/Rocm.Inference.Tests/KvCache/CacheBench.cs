using Rocm.Inference.KvCache;
using Xunit;

namespace Rocm.Inference.Tests.KvCache;

/// <summary>A manager and the few moves that its tests are made of; every move checks integrity.</summary>
internal sealed class CacheBench(int numBlocks, params KvCacheGroup[] groups)
{
    public KvCacheManager Manager { get; } = new(numBlocks, groups, new BlockHash(1, 2, 3, 4));

    public int NumFree => Manager.Pool.NumFreeBlocks;

    public static int[] Tokens(int count, int first = 1000) => [.. Enumerable.Range(first, count)];

    /// <summary>Admits a request and computes all its tokens in one step.</summary>
    public RequestBlocks Compute(int[] tokens, string? salt = null, bool skipsCacheReads = false)
    {
        RequestBlocks request = Manager.CreateRequest(salt, skipsCacheReads);
        PrefixHit hit = Manager.FindPrefix(request, tokens);
        Assert.True(Manager.TryAdmit(request, tokens.Length, hit, tokens.Length - hit.NumTokens));
        Manager.CheckIntegrity();
        Manager.CacheComputed(request, tokens);
        Manager.CheckIntegrity();
        return request;
    }

    public void ComputeAndFree(int[] tokens, string? salt = null) => Free(Compute(tokens, salt));

    public void Free(RequestBlocks request)
    {
        Manager.Free(request);
        Manager.CheckIntegrity();
    }

    /// <summary>Length of the prefix of <paramref name="tokens"/> that a new request would hit.</summary>
    public int HitLength(int[] tokens, string? salt = null)
    {
        PrefixHit hit = Manager.FindPrefix(Manager.CreateRequest(salt), tokens);
        foreach (KvCacheGroup group in Manager.Groups) Assert.Equal(hit.NumTokens / group.BlockSize, hit.Blocks(group.Index).Length);
        Manager.CheckIntegrity();
        return hit.NumTokens;
    }

    /// <summary>Takes all free blocks but <paramref name="remaining"/>, which evicts whatever they held.</summary>
    public RequestBlocks Occupy(int remaining)
    {
        RequestBlocks hog = Manager.CreateRequest(skipsCacheReads: true);
        int count = NumFree - remaining;
        Assert.True(Manager.TryAdmit(hog, 0, null, count * Manager.Groups[0].BlockSize));
        Assert.Equal(remaining, NumFree);
        Manager.CheckIntegrity();
        return hog;
    }
}
