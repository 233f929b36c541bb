using System.Collections.Immutable;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// The first stage of MLA decode: attention over latent rows in splits, whose partials another kernel reduces (AITER's binary interface, section 5).
/// Grid: (tiles of heads times query tokens, sequences, splits), blocks of 256 threads.
/// </summary>
internal sealed class AiterMlaDecode
{
    internal const int BlockThreads = 256;
    private const long PoolLimit = 1L << 32;

    // The heuristic of AITER for the number of splits: a wave of blocks is worth as much as it is full, and every split costs as much as 84 tokens.
    private const int MaxSplits = 16;
    private const double SplitCost = 84.1;

    private readonly AiterKernel _kernel;
    private readonly AiterMlaShape _shape;

    private AiterMlaDecode(AiterKernel kernel, AiterMlaTraits traits, in AiterMlaShape shape) => (_kernel, Traits, _shape) = (kernel, traits, shape);

    internal string Symbol => _kernel.Symbol;

    /// <summary>See <see cref="AiterKernel.Fingerprint"/>.</summary>
    internal string Fingerprint => _kernel.Fingerprint;

    internal AiterMlaTraits Traits { get; }

    /// <summary>Query heads that the kernel wants.</summary>
    internal int Heads => _shape.Heads;

    /// <summary>Why no kernel serves a shape, a sentence each; whether there is a file is another question.</summary>
    internal static ImmutableArray<string> Refusals(in AiterMlaShape shape)
    {
        var reasons = new AiterReasons();
        // Kernels for fp8 write over what other waves have just begun to read, with no barrier between: they count on waves that advance in step.
        reasons.Require(
            (shape.Query, shape.Cache) is (AiterDType.Bf16, AiterDType.Bf16) or (AiterDType.Fp8, AiterDType.Fp8),
            $"Queries and cache are both bf16 or both fp8, not {shape.Query} beside {shape.Cache}.");
        reasons.Require(
            shape.Query != AiterDType.Fp8 || shape.Heads is 16 or 128,
            $"With fp8 the number of heads is 16 or 128, not {shape.Heads}: the kernel for 8 leaves the scale of the cache out and reads beyond its end.");
        reasons.Require(shape.Heads is 8 or 16 or 32 or 64 or 128, $"The number of heads is 8, 16, 32, 64 or 128, not {shape.Heads}: pad the queries with zero heads.");
        // The kernels for 32 heads and more take any number of tokens, but mask none of them from one another.
        int longest = shape.Heads switch { 8 => 2, 16 => shape.Query == AiterDType.Fp8 ? 4 : 8, _ => 1 };
        reasons.Require(
            shape.QueryLength >= 1 && shape.QueryLength <= longest, $"With {shape.Heads} heads a sequence has 1 to {longest} query tokens, not {shape.QueryLength}.");
        reasons.Require(shape.PoolBytes <= PoolLimit, $"The kernels address {PoolLimit} bytes of cache; it has {shape.PoolBytes}.");
        reasons.Require(!shape.Lse, "The final LSE comes from the reduce.");
        reasons.RequireNone(shape.Features);
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernel for a shape.</summary>
    /// <returns>Null with reasons, a sentence each.</returns>
    internal static AiterMlaDecode? TryCreate(AiterKernelLibrary library, in AiterMlaShape shape, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(shape);
        if (!reasons.IsEmpty) return null;
        var refused = new AiterReasons();
        foreach (AiterMlaRow row in Candidates(library.Kernels, shape))
        {
            if (AiterMlaTraits.Of(library.Kernels.Target, row.Object.Symbol) is not { } traits)
            {
                refused.Add($"{row.Object.Symbol} is a kernel that this library does not know.");
                continue;
            }

            if (library.Load(AiterFamily.Mla, row.Object, [AiterArgumentLayout.Mla], BlockThreads, out string reason) is { } kernel)
                return new AiterMlaDecode(kernel, traits, shape);
            refused.Add(reason);
        }

        reasons = refused.ToImmutable();
        if (reasons.IsEmpty) reasons = [$"No kernel that splits contexts is listed for {shape.Heads} {shape.Query} heads and {shape.QueryLength} query tokens."];
        return null;
    }

    /// <summary>The kernels of a set that do what is asked for, the best first.</summary>
    internal static IEnumerable<AiterMlaRow> Candidates(AiterKernelSet kernels, AiterMlaShape shape)
    {
        int[] lengths = QueryLengths(shape);
        return kernels.Mla
            .Where(row => row is { Persistent: false, Prefill: false, Causal: true, Lse: false, ContextParallel: false })
            .Where(row => row.Query == shape.Query && row.Cache == shape.Cache && row.Heads == shape.Heads && lengths.Contains(row.QueryLength))
            // Two rows of gfx950 have one key: only the one that says so masks.
            .OrderBy(row => Array.IndexOf(lengths, row.QueryLength)).ThenBy(row => row.Object.Symbol.Contains("_causal", StringComparison.Ordinal) ? 0 : 1)
            .ThenBy(row => row.Object.Line);
    }

    /// <summary>Splits for a batch, section 5.7: the first number from 1 to 16 that keeps the device busiest.</summary>
    /// <param name="sequences">Of the batch.</param>
    /// <param name="contextTokens">Of all sequences together.</param>
    /// <param name="computeUnits">Of the device.</param>
    internal int ChooseSplits(int sequences, long contextTokens, int computeUnits) => ChooseSplits(_shape, Traits.KvTile, sequences, contextTokens, computeUnits);

    internal static int ChooseSplits(in AiterMlaShape shape, int kvTile, int sequences, long contextTokens, int computeUnits)
    {
        double average = (double)contextTokens / sequences, best = 0;
        int splits = 1;
        for (int i = 1; i <= MaxSplits; i++)
        {
            long blocks = (long)sequences * i, waves = (blocks + computeUnits - 1) / computeUnits;
            double worth = blocks / (double)(waves * computeUnits) * (average / (average + (SplitCost * i)));
            if (worth <= best) continue;
            (best, splits) = (worth, i);
        }

        if (shape.Query != AiterDType.Fp8) return splits;
        // fp8: no more than there are tiles.
        splits = (int)Math.Min(splits, Math.Max(1, (contextTokens + ((long)sequences * kvTile) - 1) / ((long)sequences * kvTile)));
        return splits > 1 ? Math.Min(splits, (int)(Math.Abs(average - shape.QueryLength) / kvTile) + 1) : splits;
    }

    /// <summary>What a launch leaves for the reduce.</summary>
    internal AiterMlaPartials PartialsOf(int sequences, int splits) => new(sequences * _shape.QueryLength, splits, _shape.Heads, Traits.KvTile);

    /// <summary>A launch with so many splits writes the bf16 result where the partials would be, and there is nothing to reduce.</summary>
    internal bool WritesResult(int splits) => splits == 1 && !Traits.AlwaysPartial;

    /// <summary>Enqueues one launch. Allocates nothing.</summary>
    /// <exception cref="HipException">The launch failed.</exception>
    /// <exception cref="ArgumentException">An address is not aligned, or there are too many sequences or splits.</exception>
    internal void Launch(HipStream stream, in AiterMlaArguments arguments)
    {
        AiterMlaKernarg.Check(arguments);
        if (arguments.Splits is <= 0 or > 65535) throw new ArgumentException($"1 to 65535 splits are expected, not {arguments.Splits}.", nameof(arguments));
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _shape, arguments);
        _kernel.Launch(stream, GridOf(_shape, Traits, arguments), kernarg);
    }

    internal static HipDim3 GridOf(in AiterMlaShape shape, AiterMlaTraits traits, in AiterMlaArguments arguments) => new(
        (uint)((shape.Heads * shape.QueryLength + traits.QueryTile - 1) / traits.QueryTile), (uint)arguments.Sequences, (uint)arguments.Splits);

    internal static void Pack(Span<byte> kernarg, in AiterMlaShape shape, in AiterMlaArguments arguments)
    {
        int rowBytes = shape.Heads * AiterMlaKernarg.QueryDim * AiterMlaKernarg.ElementBytes(shape.Query);
        // The kernel of 8 heads and 2 tokens counts its rows itself.
        int rows = shape is { Heads: 8, QueryLength: 2 } ? shape.Heads : shape.Heads * shape.QueryLength;
        // With one split the kernels of 32 and 64 heads on gfx942 write their result through the slot of the final output, the others through that of the partials.
        bool direct = arguments.Splits == 1;
        AiterMlaKernarg.Pack(
            kernarg, direct ? arguments with { Output = arguments.Partials } : arguments, rows, rowBytes * shape.QueryLength, direct ? 1 : 0);
    }

    /// <summary>What the column qSeqLen of a kernel for the shape can hold, the best first; section 5.3.</summary>
    private static int[] QueryLengths(in AiterMlaShape shape) => (shape.Query, shape.Heads, shape.QueryLength) switch
    {
        (_, 8, 1 or 2) or (_, 16, 1) or (AiterDType.Fp8, 16, 2) => [shape.QueryLength],
        (_, 16, <= 4) => [4],
        (AiterDType.Bf16, 16, <= 8) => [8],
        // gfx942 has no kernel for one token and 64 heads of its own; the one for any number serves it.
        (AiterDType.Bf16, 64, 1) => [1, 0],
        (AiterDType.Bf16, 32 or 64, _) or (_, 128, _) => [0],
        _ => [],
    };
}
