using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>
/// Decode over contexts that no test could draw key by key: a few distinct blocks fill the table, so that the reference needs each key only once, times how often it
/// comes. Blocks of their own at the edges of what the kernel splits a row into have keys that weigh as much as all others: one that is lost or read twice is seen.
/// </summary>
public sealed class HipLongContextTests
{
    private const int Dim = 64;
    private const int Block = 16;
    private const int NumCommon = 6;

    // Spans of 512 keys and stretches of 8192 end here; so do powers of two at which an index could lose a bit.
    private static readonly int[] s_edges = [0, 511, 512, 8191, 8192, 16383, 16384, 65535, 65536, 524287, 524288];

    [Theory]
    [InlineData(EmulatedGpu.Gfx942, 20_011)]
    [InlineData(EmulatedGpu.Gfx1100, 20_011)]
    [InlineData(EmulatedGpu.Gfx942, 1_050_003)]
    [InlineData(EmulatedGpu.Gfx1100, 1_050_003)]
    public void A_token_after_many_others_equals_the_reference(string target, int length)
    {
        using IDevice device = HipDevices.Create(target);
        var random = new TestRandom(length);
        int numTable = (length + Block - 1) / Block;
        int[] edges = [.. s_edges.Append(length - 1).Where(position => position < length).Select(position => position / Block).Distinct()];
        int[] table = [.. Enumerable.Range(0, numTable).Select(_ => random.Next(0, NumCommon))];
        for (int e = 0; e < edges.Length; e++) table[edges[e]] = NumCommon + e;
        int numBlocks = NumCommon + edges.Length;
        float[] query = OracleNumbers.Round(DType.BF16, random.Floats(Dim));
        float[] keys = random.Floats(numBlocks * Block * Dim), values = random.Floats(numBlocks * Block * Dim);
        const float Scale = 0.125f;

        // A key of an edge's block: along the query, with a score that makes up for the number of other keys.
        double norm = query.Sum(q => (double)q * q);
        foreach (int block in Enumerable.Range(NumCommon, edges.Length))
        {
            for (int i = 0; i < Dim; i++)
                keys[(((block * Block) + ((block == numBlocks - 1 ? length - 1 : 5) % Block)) * Dim) + i] = (float)(query[i] * Math.Log(length) / (Scale * norm));
        }

        (keys, values) = (OracleNumbers.Round(DType.BF16, keys), OracleNumbers.Round(DType.BF16, values));
        using var tensors = new PoisonedTensors(device, 64 << 20);
        TensorView output = tensors.PoisonActivations(1, 1, Dim);
        device.AttentionKernels.PagedDecode(tensors.Context, new PagedAttentionArgs
        {
            Spec = new AttentionSpec { NumQoHeads = 1, NumKvHeads = 1, HeadDim = Dim, VHeadDim = Dim, SoftmaxScale = Scale, KvDType = DType.BF16, DType = device.ActivationDType, MaxSeqLen = length },
            Query = tensors.Activations(query, 1, 1, Dim),
            Cache = new KvCacheView
            {
                Layout = KvLayoutKind.Nhd, BlockSize = Block, Key = tensors.Of(DType.BF16, keys, numBlocks, Block, 1, Dim), Value = tensors.Of(DType.BF16, values, numBlocks, Block, 1, Dim),
            },
            CuSeqlensQ = tensors.I32([0, 1], 2),
            SeqLens = tensors.I32([length], 1),
            BlockTable = tensors.I32(table, 1, numTable),
            NumRows = 1,
            MaxQueryLen = 1,
            MaxSeqLen = length,
            Output = output,
        });
        tensors.AttentionTolerance.Check(Expected(table, length, query, keys, values, Scale), tensors.Read(output), $"seed {random.Seed}, {target}, {length} keys");
        tensors.Verify();
    }

    /// <summary>Softmax over the distinct keys, each weighing as often as it comes.</summary>
    private static double[] Expected(int[] table, int length, float[] query, float[] keys, float[] values, double scale)
    {
        var counts = new int[keys.Length / Dim];
        for (int position = 0; position < length; position++) counts[(table[position / Block] * Block) + (position % Block)]++;
        double[] weights = [.. counts.Select((count, key) => count == 0 ? 0 : count * Math.Exp(scale * Enumerable.Range(0, Dim).Sum(i => (double)query[i] * keys[(key * Dim) + i])))];
        double sum = weights.Sum();
        return [.. Enumerable.Range(0, Dim).Select(i => weights.Select((weight, key) => weight / sum * values[(key * Dim) + i]).Sum())];
    }
}
