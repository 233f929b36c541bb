using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.SelfTest;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>What the machine code of one op did, counted by the emulator.</summary>
/// <param name="Launches">Kernels that it took.</param>
/// <param name="Instructions">Instructions of waves, of all kinds.</param>
/// <param name="MatrixInstructions">Those of them that multiply matrices.</param>
/// <param name="LineShare">Distinct lines of 64 bytes that the launches read or write, in bytes, by the floor: every operand once.</param>
internal readonly record struct EmulatedMeasure(ulong Launches, ulong Instructions, ulong MatrixInstructions, double LineShare)
{
    // Places in gfxemuGetCounters.
    private const int LaunchCount = 0;
    private const int LinesRead = 3;
    private const int LinesWritten = 4;
    private const int FirstClass = 7;
    private const int MatrixClass = 5;
    private const int LineBytes = 64;

    /// <summary>Runs an op on a lane of its own and compares its result with the reference.</summary>
    /// <param name="gpu">An emulated device.</param>
    /// <param name="check">The op.</param>
    /// <param name="kernels">Whose attention kernels run.</param>
    /// <param name="hasClearedCache">See <see cref="SelfTestLane.HasClearedCache"/>.</param>
    /// <exception cref="InvalidOperationException">The result is wrong.</exception>
    public static EmulatedMeasure Of(HipGpu gpu, SelfTestCheck check, IAttentionKernels kernels, bool hasClearedCache = false)
    {
        using var lane = new SelfTestLane(gpu, seed: 1) { AttentionKernels = kernels, HasClearedCache = hasClearedCache };
        PreparedCheck prepared = check.Prepare(lane);
        using DeviceContext context = gpu.CreateContext(prepared.ArenaBytes);
        lane.Context.Synchronize();
        ulong[] before = EmulatedGpu.Instance.Counters();
        prepared.Run(context);
        context.Synchronize();
        ulong[] counts = [.. EmulatedGpu.Instance.Counters().Zip(before, (now, then) => now - then)];
        double error = prepared.Compare();
        if (!(error <= 1)) throw new InvalidOperationException($"{check.Kernel} {check.Shape} is wrong on {gpu.Architecture}: {error} times the allowed error.");
        ulong instructions = 0;
        foreach (ulong count in counts.AsSpan(FirstClass)) instructions += count;
        double share = (counts[LinesRead] + counts[LinesWritten]) * (double)LineBytes / prepared.Bytes;
        return new EmulatedMeasure(counts[LaunchCount], instructions, counts[FirstClass + MatrixClass], share);
    }
}
