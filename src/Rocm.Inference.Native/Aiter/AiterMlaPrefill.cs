using System.Collections.Immutable;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// Causal MLA prefill with absorbed queries over latent rows (AITER's binary interface, section 6.1): bf16 results, no partials. Costs about 3.4 times the
/// arithmetic of attention with expanded keys and values, which <see cref="AiterFlashForward"/> does. Grid: (tiles of heads times query tokens, sequences),
/// blocks of 256 threads.
/// </summary>
internal sealed class AiterMlaPrefill
{
    private const int BlockThreads = 256;
    private const int QueryTile = 128;
    private const long PoolLimit = 1L << 32;

    private readonly AiterKernel _kernel;
    private readonly AiterMlaShape _shape;

    private AiterMlaPrefill(AiterKernel kernel, in AiterMlaShape shape) => (_kernel, _shape) = (kernel, shape);

    internal string Symbol => _kernel.Symbol;

    /// <summary>Why no kernel serves a shape, a sentence each; <see cref="AiterMlaShape.QueryLength"/> is the longest sequence's.</summary>
    internal static ImmutableArray<string> Refusals(in AiterMlaShape shape)
    {
        var reasons = new AiterReasons();
        reasons.Require(
            shape is { Query: AiterDType.Bf16, Cache: AiterDType.Bf16 }, $"Queries and cache are bf16, not {shape.Query} beside {shape.Cache}.");
        reasons.Require(shape.Heads is 16 or 128, $"The number of heads is 16 or 128, not {shape.Heads}: pad the queries with zero heads.");
        reasons.Require(shape.QueryLength >= 1, $"A sequence has a query token at least, not {shape.QueryLength}.");
        reasons.Require(shape.PoolBytes <= PoolLimit, $"The kernels address {PoolLimit} bytes of cache; it has {shape.PoolBytes}.");
        reasons.Require(!shape.Lse, "The kernel gives no final LSE.");
        reasons.RequireNone(shape.Features);
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernel for a shape.</summary>
    /// <returns>Null with reasons, a sentence each.</returns>
    internal static AiterMlaPrefill? TryCreate(AiterKernelLibrary library, in AiterMlaShape shape, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(shape);
        if (!reasons.IsEmpty) return null;
        int heads = shape.Heads;
        // The column "causal" says 0 although these kernels mask.
        AiterMlaRow? row = library.Kernels.Mla.FirstOrDefault(row =>
            row is { Prefill: true, Persistent: false, Query: AiterDType.Bf16, Cache: AiterDType.Bf16, Lse: false, ContextParallel: false } &&
            row.Heads == heads && row.Object.Symbol.Contains("mla_pfl_bf16_a16w16_causal_", StringComparison.Ordinal));
        if (row is null)
        {
            reasons = [$"No prefill kernel is listed for {heads} bf16 heads."];
            return null;
        }

        if (library.Load(AiterFamily.Mla, row.Object, [AiterArgumentLayout.Mla], BlockThreads, out string reason) is { } kernel)
            return new AiterMlaPrefill(kernel, shape);
        reasons = [reason];
        return null;
    }

    /// <summary>Enqueues one launch: <see cref="AiterMlaArguments.Partials"/> receives bf16 results. Allocates nothing.</summary>
    /// <param name="stream">A stream of the device.</param>
    /// <param name="arguments">Addresses; the number of splits is 1.</param>
    /// <param name="maxQueryLength">The longest sequence's query tokens.</param>
    /// <exception cref="HipException">The launch failed.</exception>
    internal void Launch(HipStream stream, in AiterMlaArguments arguments, int maxQueryLength)
    {
        AiterMlaKernarg.Check(arguments);
        if (arguments.Splits != 1) throw new ArgumentException($"Prefill has one split, not {arguments.Splits}.", nameof(arguments));
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _shape, arguments);
        _kernel.Launch(stream, GridOf(_shape, arguments, maxQueryLength), kernarg);
    }

    internal static HipDim3 GridOf(in AiterMlaShape shape, in AiterMlaArguments arguments, int maxQueryLength) =>
        new((uint)((((long)shape.Heads * maxQueryLength) + QueryTile - 1) / QueryTile), (uint)arguments.Sequences);

    internal static void Pack(Span<byte> kernarg, in AiterMlaShape shape, in AiterMlaArguments arguments) =>
        AiterMlaKernarg.Pack(kernarg, arguments, shape.Heads, shape.Heads * AiterMlaKernarg.QueryDim * AiterMlaKernarg.ElementBytes(shape.Query), directOutput: 1);
}
