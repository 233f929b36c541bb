using System.Globalization;
using System.Text;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.SelfTest;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>Runs ops on the emulated GPUs and writes down what their machine code did.</summary>
internal static class EmulatedCounts
{
    public const string Heading = "## From the emulator";

    // Places in gfxemuGetCounters.
    private const int Launches = 0;
    private const int LinesRead = 3;
    private const int LinesWritten = 4;
    private const int FirstClass = 7;
    private const int MatrixClass = 5;
    private const int LineBytes = 64;

    public static void Append(StringBuilder text)
    {
        EmulatedGpu.Instance.Set("lines", "1");
        text.Append(CultureInfo.InvariantCulture, $"\n{Heading}\n\n");
        text.Append("Each op with the launches that it takes, results compared with the reference. Lines: distinct lines of 64 bytes that each launch reads or writes, summed over the\n");
        text.Append("launches of the op, times 64, against the floor: every operand once. Operands are small here, so that partial results and tables weigh more than in use.\n\n");
        text.Append("| kernel | shape | target | launches | wave-instructions | matrix instructions | per unit | lines / floor |\n");
        text.Append("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |\n");
        foreach (string target in (string[])[EmulatedGpu.Gfx942, EmulatedGpu.Gfx1100])
        {
            using HipGpu gpu = EmulatedGpu.Create(target);
            foreach (EmulatedCase one in EmulatedCase.All(gpu.ActivationDType))
            {
                try
                {
                    Append(text, gpu, target, one);
                }
                catch (NotSupportedException e)
                {
                    Console.WriteLine($"{target} {one.Check.Kernel} {one.Check.Shape} is left out: {e.Message}");
                }
            }

            foreach (KernelUnit unit in gpu.Library.LoadedUnits.Where(unit => !CompiledUnits.Instances.Contains($"{unit.File} {unit.Macros}".TrimEnd())))
                Console.WriteLine($"{target} {unit} ran and is not in precompiled.txt.");
        }
    }

    private static void Append(StringBuilder text, HipGpu gpu, string target, EmulatedCase one)
    {
        using var lane = new SelfTestLane(gpu, seed: 1);
        PreparedCheck prepared = one.Check.Prepare(lane);
        using DeviceContext context = gpu.CreateContext(prepared.ArenaBytes);
        lane.Context.Synchronize();
        ulong[] before = EmulatedGpu.Instance.Counters();
        prepared.Run(context);
        context.Synchronize();
        ulong[] counts = [.. EmulatedGpu.Instance.Counters().Zip(before, (now, then) => now - then)];
        double error = prepared.Compare();
        if (error > 1) throw new InvalidOperationException($"{one.Check.Kernel} {one.Check.Shape} is wrong on {target}: {error} times the allowed error.");
        ulong instructions = 0;
        foreach (ulong count in counts.AsSpan(FirstClass)) instructions += count;
        double share = (counts[LinesRead] + counts[LinesWritten]) * (double)LineBytes / prepared.Bytes;
        text.Append(CultureInfo.InvariantCulture, $"| {one.Check.Kernel} | {one.Check.Shape} | {target} | {counts[Launches]} | {instructions} | {counts[FirstClass + MatrixClass]} ");
        text.Append(CultureInfo.InvariantCulture, $"| {instructions / one.Work:0.##} per {one.Unit} | {share:0.00} |\n");
    }
}
