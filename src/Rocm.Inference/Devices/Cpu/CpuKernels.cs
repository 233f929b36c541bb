using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// The dense ops on the host's processors, written once over a vector width; one file an op. Element-wise ops treat a row in vectors from its
/// start and its end by a padded vector, so an element's bits depend on nothing but its row. Rows are shared out over the crew when there is
/// enough work to pay for waking it.
/// </summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>(CpuCrew crew) : IKernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Elements from which an element-wise op is shared out: about 10 µs of work for one thread.
    private const long SharedFrom = 64 * 1024;

    private static bool IsSmall(long rows, long columns) => rows == 1 || rows * columns < SharedFrom;

    /// <summary>This thread's part of the rows.</summary>
    private static (long First, long End) Share(CpuCrew crew, int worker, long rows) =>
        (rows * worker / crew.ActiveThreads, rows * (worker + 1) / crew.ActiveThreads);

    /// <summary>The last, partial vector of a row; missing lanes are 0.</summary>
    private static TVector LoadTail(float* source, int count)
    {
        float* lanes = stackalloc float[16];
        for (int i = 0; i < TSimd.Count; i++) lanes[i] = i < count ? source[i] : 0;
        return TSimd.Load(lanes);
    }

    private static void StoreTail(TVector value, float* destination, int count)
    {
        float* lanes = stackalloc float[16];
        TSimd.Store(value, lanes);
        for (int i = 0; i < count; i++) destination[i] = lanes[i];
    }
}
