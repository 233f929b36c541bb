using System.Collections.Immutable;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// pa_ps_fwd: causal attention of bf16 queries over a shuffled fp8 cache, by a grid of one block for each compute unit that works through a plan
/// (AITER's binary interface, section 4). All sequences have the same number of query tokens.
/// </summary>
internal sealed class AiterPersistentPagedDecode
{
    private const int HeadDim = 128;
    private const int MaxTile = 64;
    private const int SmallBlock = 256;
    private const int LargeBlock = 1024;
    private const int ScalesPerToken = 2;
    private const int ScalesPerSmallBlock = 6;
    private const int ScalesPerLargeBlock = 7;
    private const long PoolLimit = 1L << 32;
    private const double Log2E = 1.4426950408889634;

    private readonly AiterKernel _kernel;
    private readonly AiterPagedShape _shape;

    private AiterPersistentPagedDecode(AiterKernel kernel, in AiterPagedShape shape) => (_kernel, _shape) = (kernel, shape);

    internal string Symbol => _kernel.Symbol;

    /// <summary>See <see cref="AiterKernel.Fingerprint"/>.</summary>
    internal string Fingerprint => _kernel.Fingerprint;

    /// <summary>Why no kernel serves a shape, a sentence each; whether there is a file is another question.</summary>
    /// <param name="shape">The shape; a sequence has exactly its maximum of query tokens.</param>
    /// <param name="scalesPerToken">Scales are [blocks, kv heads, block]; otherwise [blocks, kv heads].</param>
    internal static ImmutableArray<string> Refusals(in AiterPagedShape shape, bool scalesPerToken)
    {
        var reasons = new AiterReasons();
        reasons.Require(shape.HeadDim == HeadDim, $"The head dimension is {HeadDim}, not {shape.HeadDim}.");
        reasons.Require(
            shape is { Query: AiterDType.Bf16, Cache: AiterDType.Fp8 }, $"Queries are bf16 over an fp8 cache, not {shape.Query} over {shape.Cache}.");
        reasons.Require(
            shape.BlockSize == LargeBlock || (shape.BlockSize == SmallBlock && !scalesPerToken),
            $"Blocks have {LargeBlock} tokens, or {SmallBlock} with a scale for each block, not {shape.BlockSize}.");
        reasons.Require(
            shape.KvHeads > 0 && shape.Heads > 0 && shape.Heads % Math.Max(shape.KvHeads, 1) == 0,
            $"The number of query heads is a multiple of that of KV heads, not {shape.Heads} beside {shape.KvHeads}.");
        reasons.Require(
            shape.MaxQueryLength >= 1 && (long)shape.Gqa * shape.MaxQueryLength <= MaxTile,
            $"Query tokens times query heads a KV head are {MaxTile} at most, not {shape.MaxQueryLength} times {shape.Gqa}.");
        reasons.Require(shape.PoolBytes <= PoolLimit, $"The kernels address {PoolLimit} bytes of keys or values; the cache has {shape.PoolBytes}.");
        reasons.RequireNone(shape.Features);
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernel for a shape.</summary>
    /// <returns>Null with reasons, a sentence each.</returns>
    internal static AiterPersistentPagedDecode? TryCreate(AiterKernelLibrary library, in AiterPagedShape shape, bool scalesPerToken, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(shape, scalesPerToken);
        if (!reasons.IsEmpty) return null;
        int rows = shape.Gqa * shape.MaxQueryLength, block = shape.BlockSize;
        int scales = scalesPerToken ? ScalesPerToken : block == SmallBlock ? ScalesPerSmallBlock : ScalesPerLargeBlock;
        AiterPagedRow? row = library.Kernels.Paged
            .Where(row => row is { Persistent: true, Query: AiterDType.Bf16, Cache: AiterDType.Fp8, Causal: true } && row.BlockSize == block)
            .Where(row => row.QuantType == scales && row.QueryTile >= rows).MinBy(row => row.QueryTile);
        if (row is null)
        {
            reasons = [$"No persistent kernel for blocks of {block}, scales of kind {scales} and {rows} rows is listed."];
            return null;
        }

        if (library.Load(AiterFamily.PagedAttention, row.Object, LayoutsFor(row), AiterPagedDecode.BlockThreads, out string reason) is { } kernel)
            return new AiterPersistentPagedDecode(kernel, shape);
        reasons = [reason];
        return null;
    }

    /// <summary>Layouts that serve a row.</summary>
    internal static ReadOnlySpan<AiterArgumentLayout> LayoutsFor(AiterPagedRow row) => row.QuantType == ScalesPerToken
        ? [AiterArgumentLayout.PersistentPagedWithScaleStrides]
        : [AiterArgumentLayout.PersistentPaged, AiterArgumentLayout.PersistentPagedWithScaleStrides];

    /// <summary>Enqueues one launch. Allocates nothing.</summary>
    /// <param name="stream">A stream of the device.</param>
    /// <param name="arguments">Addresses and strides; <see cref="AiterPagedArguments.BlockTable"/> is the packed block numbers of all sequences.</param>
    /// <param name="blockOffsets">Where each sequence's block numbers begin, int32 [sequences + 1].</param>
    /// <param name="work">The plan.</param>
    /// <exception cref="HipException">The launch failed.</exception>
    internal void Launch(HipStream stream, in AiterPagedArguments arguments, nint blockOffsets, in AiterPersistentArguments work)
    {
        AiterAlignment.Check(arguments.Output | arguments.Query | arguments.Keys | arguments.Values | work.Partials, "output, query, keys, values or partials");
        AiterAlignment.Check(arguments.QueryRowBytes | arguments.BlockBytes | arguments.HeadBytes, "a stride of queries or cache");
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _shape, arguments, blockOffsets, work);
        _kernel.Launch(stream, new HipDim3((uint)work.Workers), kernarg);
    }

    internal static void Pack(Span<byte> kernarg, in AiterPagedShape shape, in AiterPagedArguments arguments, nint blockOffsets, in AiterPersistentArguments work)
    {
        var slots = new KernargSlots(kernarg);
        slots.Set(0x00, arguments.Output);
        slots.Set(0x10, arguments.Query);
        slots.Set(0x20, arguments.Keys);
        slots.Set(0x30, arguments.Values);
        slots.Set(0x40, arguments.BlockTable);
        slots.Set(0x50, arguments.ContextLengths);
        slots.Set(0x60, arguments.KeyScales);
        slots.Set(0x70, arguments.ValueScales);
        slots.Set(0x80, (float)(arguments.Scale * Log2E));
        slots.Set(0x90, shape.KvHeads);
        slots.Set(0xa0, arguments.QueryRowBytes);
        slots.Set(0xb0, arguments.BlockBytes);
        slots.Set(0xc0, arguments.HeadBytes);
        slots.Set(0xd0, shape.MaxQueryLength - 1);
        slots.Set(0xe0, shape.Gqa);
        slots.Set(0xf0, arguments.QueryOffsets);
        slots.Set(0x100, blockOffsets);
        slots.Set(0x110, work.WorkOffsets);
        slots.Set(0x120, work.WorkItems);
        slots.Set(0x130, work.Partials);
        slots.Set(0x140, work.PartialLse);
        // Strides of dense scales for each token, by KV head and by block.
        slots.Set(0x150, shape.BlockSize * sizeof(float));
        slots.Set(0x160, shape.KvHeads * shape.BlockSize * sizeof(float));
    }
}
