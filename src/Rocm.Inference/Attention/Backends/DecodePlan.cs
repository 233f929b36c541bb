using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// Memory of an executor for what the layers of a step share of decoding, see <see cref="IAttentionKernels.PlanDecode"/>. Of a fixed address: recorded steps find
/// the same. The plan of the step before is gone when the next is made.
/// </summary>
internal sealed class DecodePlan : IDisposable
{
    private readonly IAttentionKernels _kernels;
    private readonly DeviceBuffer? _memory;

    /// <param name="device">Where the layers run.</param>
    /// <param name="kernels">Whose decode is planned.</param>
    /// <param name="spec">The layer group.</param>
    /// <param name="limits">The largest step.</param>
    public DecodePlan(IDevice device, IAttentionKernels kernels, AttentionSpec spec, BatchLimits limits)
    {
        _kernels = kernels;
        long bytes = kernels.DecodePlanBytes(spec, limits);
        try
        {
            _memory = bytes == 0 ? null : device.Allocate(bytes);
        }
        catch (DeviceMemoryException)
        {
            // Without it every layer makes its own.
        }
    }

    /// <summary>Plans rows of a step.</summary>
    /// <returns>What the calls of the step are given; absent when they make their own.</returns>
    public TensorView Make(DeviceContext context, in DecodePlanArgs args) =>
        _memory is null ? default : _kernels.PlanDecode(context, args, _memory.View(DType.U8, _memory.SizeBytes));

    public void Dispose() => _memory?.Dispose();
}
