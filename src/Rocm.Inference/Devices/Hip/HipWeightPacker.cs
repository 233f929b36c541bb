namespace Rocm.Inference.Devices.Hip;

internal sealed class HipWeightPacker(HipGpu gpu) : IDisposable
{
    public PackedWeight Pack(in WeightSource source) => throw new NotSupportedException(gpu.Name);

    public PackedWeightGroup PackGroup(ReadOnlySpan<WeightSource> members) => throw new NotSupportedException(gpu.Name);

    public void Dispose()
    {
    }
}
