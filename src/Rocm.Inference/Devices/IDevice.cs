using Rocm.Inference.Devices;

namespace Rocm.Inference;

/// <summary>What kind of hardware runs the kernels.</summary>
public enum DeviceKind
{
    /// <summary>The host's processors: needs nothing else, always there.</summary>
    Cpu,

    /// <summary>An AMD GPU through HIP.</summary>
    Hip,
}

/// <summary>
/// Owns memory and execution resources and runs kernels. One device may serve several sessions; it is disposed by whoever created it.
/// The interface is implemented by this library only.
/// </summary>
public interface IDevice : IDisposable
{
    /// <summary>What kind of hardware this is.</summary>
    DeviceKind Kind { get; }

    /// <summary>A name for people: processor or GPU model, width of its vectors or its gfx target.</summary>
    string Name { get; }

    /// <summary>The instruction set that kernels are written for: "x64-avx512", "x64-avx2", "arm64", "gfx942" …</summary>
    string Architecture { get; }

    /// <summary>Worker threads of a CPU device, compute units of a GPU.</summary>
    int ComputeUnits { get; }

    /// <summary>Memory that the process may use on this device, in bytes (container limits are honoured).</summary>
    long TotalMemoryBytes { get; }

    /// <summary>Memory that is free now, in bytes.</summary>
    long AvailableMemoryBytes { get; }

    /// <summary>Element type of activations between ops: <see cref="DType.F32"/> on the CPU.</summary>
    DType ActivationDType { get; }

    /// <summary>Allocates zeroed memory, aligned to at least 64 bytes.</summary>
    /// <param name="sizeBytes">Size in bytes; 0 is allowed.</param>
    /// <exception cref="DeviceMemoryException">The device has no room for it.</exception>
    DeviceBuffer Allocate(long sizeBytes);

    /// <summary>Creates a lane of execution with its own scratch arena.</summary>
    /// <param name="arenaBytes">Size of the arena in bytes.</param>
    DeviceContext CreateContext(long arenaBytes);

    /// <summary>Dense ops, see <see cref="IKernels"/>.</summary>
    internal IKernels Kernels { get; }

    /// <summary>Attention primitives, see <see cref="IAttentionKernels"/>.</summary>
    internal IAttentionKernels AttentionKernels { get; }

    /// <summary>Attention primitives for the backends that are named after AITER: its kernels where the device has some that fit, the device's own else.</summary>
    internal IAttentionKernels AiterAttentionKernels => AttentionKernels;

    /// <summary>AITER's kernels were found for the device.</summary>
    internal bool HasAiter => false;

    /// <summary>Whose kernels <see cref="AiterAttentionKernels"/> takes for a primitive of a layer group.</summary>
    internal KernelProvider ProviderOf(AiterPrimitive primitive, AttentionSpec spec) => new(Kind == DeviceKind.Cpu ? "cpu" : "hip", []);

    /// <summary>Measures what <see cref="AiterAttentionKernels"/> choose by, where they are to choose by times; done before a layer group runs.</summary>
    /// <param name="spec">The layer group.</param>
    /// <param name="limits">The largest step.</param>
    /// <param name="blockSize">Tokens of a block of the cache.</param>
    /// <param name="cancellationToken">Stops between two measurements.</param>
    internal void TuneAttention(AttentionSpec spec, BatchLimits limits, int blockSize, CancellationToken cancellationToken)
    {
    }

    /// <summary>What <see cref="IKernels.Linear"/> takes from the arena for a product with a weight, as it will be packed.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="rows">Rows of the largest product.</param>
    internal long LinearScratchBytes(in WeightSource weight, int rows) => 0;

    /// <summary><see cref="IKernels.Linear"/> rounds so many rows to 8-bit floats before they are multiplied with a weight, into activations.</summary>
    internal bool RoundsInputs(PackedWeight weight, int rows) => false;

    /// <summary>Measures what <see cref="IKernels.Linear"/> chooses kernels by, where it is to choose by times; done before weights are packed.</summary>
    /// <param name="weights">What rows will be multiplied with.</param>
    /// <param name="maxRows">Rows of the largest product.</param>
    /// <param name="cancellationToken">Stops between two measurements.</param>
    internal void TuneLinear(IEnumerable<WeightSource> weights, int maxRows, CancellationToken cancellationToken)
    {
    }

    /// <summary>Whose kernels <see cref="IKernels.Linear"/> takes for products with some weights.</summary>
    internal KernelProvider ProviderOf(IEnumerable<WeightSource> weights) => new(Kind == DeviceKind.Cpu ? "cpu" : "hip", []);

    /// <summary>The gated experts of a layer as one op.</summary>
    /// <param name="routing">How many experts there are, and how many a token has.</param>
    /// <param name="gateUp">[E][2F, D]: gate, then up, as they will be packed.</param>
    /// <param name="down">[E][D, F].</param>
    /// <param name="activation">Between the two products.</param>
    /// <param name="reasons">Why there is none, a sentence each; empty on devices that never have one.</param>
    /// <returns>Null: the ops of <see cref="Kernels"/> compute them.</returns>
    internal IFusedExperts? FuseExperts(
        MoeRouting routing, ReadOnlySpan<WeightSource> gateUp, ReadOnlySpan<WeightSource> down, ActivationKind activation, out IReadOnlyList<string> reasons)
    {
        reasons = [];
        return null;
    }

    /// <summary>Logits to token ids, see <see cref="ISamplingKernels"/>.</summary>
    internal ISamplingKernels SamplingKernels { get; }

    /// <summary>
    /// Makes the one resident copy of a weight in the layout this device wants. The source may be unmapped afterwards unless
    /// <see cref="PackedWeight.SharesSource"/> says that the copy is the source.
    /// </summary>
    internal PackedWeight Pack(in WeightSource source);

    /// <summary>Makes the one resident copy of several weights of one shape, see <see cref="Pack"/>.</summary>
    internal PackedWeightGroup PackGroup(ReadOnlySpan<WeightSource> members);
}
