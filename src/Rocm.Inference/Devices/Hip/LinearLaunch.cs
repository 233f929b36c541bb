using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Devices.Hip;

/// <summary>A kernel of dense/linear.h and how it is launched.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Grid">In groups.</param>
/// <param name="Threads">Threads of a group.</param>
internal readonly record struct LinearLaunch(HipFunction Kernel, HipDim3 Grid, int Threads)
{
    public void Enqueue(HipContext lane, in LinearArgs args) => lane.Launch(Kernel, Grid, Threads, args);
}
