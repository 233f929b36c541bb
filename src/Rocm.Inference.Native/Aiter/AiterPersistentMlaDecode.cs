using System.Collections.Immutable;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// MLA decode by a grid of one block for each compute unit that works through a plan (AITER's binary interface, section 5.8): stretches that are whole contexts
/// are written as bf16 results, the others as partials [rows, heads, 512].
/// </summary>
internal sealed class AiterPersistentMlaDecode
{
    private const int Heads = 16;
    private const int MaxQueryLength = 4;
    private const long PoolLimit = 1L << 32;

    private readonly AiterKernel _kernel;
    private readonly AiterMlaShape _shape;

    private AiterPersistentMlaDecode(AiterKernel kernel, in AiterMlaShape shape) => (_kernel, _shape) = (kernel, shape);

    internal string Symbol => _kernel.Symbol;

    /// <summary>See <see cref="AiterKernel.Fingerprint"/>.</summary>
    internal string Fingerprint => _kernel.Fingerprint;

    /// <summary>Why no kernel serves a shape, a sentence each; whether there is a file is another question.</summary>
    internal static ImmutableArray<string> Refusals(in AiterMlaShape shape)
    {
        var reasons = new AiterReasons();
        reasons.Require(shape is { Query: AiterDType.Bf16, Cache: AiterDType.Bf16 }, $"Queries and cache are bf16, not {shape.Query} beside {shape.Cache}.");
        reasons.Require(shape.Heads == Heads, $"The number of heads is {Heads}, not {shape.Heads}: pad the queries with zero heads.");
        reasons.Require(shape.QueryLength is >= 1 and <= MaxQueryLength, $"A sequence has 1 to {MaxQueryLength} query tokens, not {shape.QueryLength}.");
        reasons.Require(shape.PoolBytes <= PoolLimit, $"The kernels address {PoolLimit} bytes of cache; it has {shape.PoolBytes}.");
        reasons.Require(!shape.Lse, "The kernel gives no final LSE.");
        reasons.RequireNone(shape.Features);
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernel for a shape.</summary>
    /// <returns>Null with reasons, a sentence each.</returns>
    internal static AiterPersistentMlaDecode? TryCreate(AiterKernelLibrary library, in AiterMlaShape shape, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(shape);
        if (!reasons.IsEmpty) return null;
        AiterMlaRow? row = library.Kernels.Mla.FirstOrDefault(IsServed);
        if (row is null)
        {
            reasons = [$"No persistent kernel is listed for {Heads} bf16 heads."];
            return null;
        }

        if (library.Load(AiterFamily.Mla, row.Object, [AiterArgumentLayout.Mla], AiterMlaDecode.BlockThreads, out string reason) is { } kernel)
            return new AiterPersistentMlaDecode(kernel, shape);
        reasons = [reason];
        return null;
    }

    /// <summary>The row is one that this launcher takes.</summary>
    internal static bool IsServed(AiterMlaRow row) => row is
    {
        Persistent: true, Prefill: false, Causal: true, Lse: false, ContextParallel: false, Query: AiterDType.Bf16, Cache: AiterDType.Bf16, Heads: Heads,
        QueryLength: MaxQueryLength,
    };

    /// <summary>Enqueues one launch. Allocates nothing.</summary>
    /// <param name="stream">A stream of the device.</param>
    /// <param name="arguments">
    /// Addresses; <see cref="AiterMlaArguments.SplitOffsets"/> is that of two 64-bit addresses in device memory: the plan's offsets and items. Splits is 1.
    /// </param>
    /// <param name="workers">Blocks of the grid, see <see cref="AiterPersistentArguments"/>.</param>
    /// <exception cref="HipException">The launch failed.</exception>
    internal void Launch(HipStream stream, in AiterMlaArguments arguments, int workers)
    {
        AiterMlaKernarg.Check(arguments);
        if (arguments.Output == 0) throw new ArgumentException("Whole contexts need an output.", nameof(arguments));
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _shape, arguments);
        _kernel.Launch(stream, new HipDim3((uint)workers), kernarg);
    }

    internal static void Pack(Span<byte> kernarg, in AiterMlaShape shape, in AiterMlaArguments arguments) => AiterMlaKernarg.Pack(
        kernarg, arguments, shape.Heads * shape.QueryLength,
        shape.Heads * AiterMlaKernarg.QueryDim * AiterMlaKernarg.ElementBytes(shape.Query) * shape.QueryLength, directOutput: arguments.Splits);
}
