using System.Globalization;
using System.Text;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>Runs ops on the emulated GPUs and writes down what their machine code did.</summary>
internal static class EmulatedCounts
{
    public const string Heading = "## From the emulator";

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

            foreach (KernelUnit unit in gpu.Library.LoadedUnits.Where(unit => !CompiledUnits.InstancesOf(target).Contains($"{unit.File} {unit.Macros}".TrimEnd())))
                Console.WriteLine($"{target} {unit} ran and is not compiled ahead.");
        }
    }

    private static void Append(StringBuilder text, HipGpu gpu, string target, EmulatedCase one)
    {
        EmulatedMeasure measure = EmulatedMeasure.Of(gpu, one.Check, gpu.AttentionKernels);
        text.Append(CultureInfo.InvariantCulture, $"| {one.Check.Kernel} | {one.Check.Shape} | {target} | {measure.Launches} | {measure.Instructions} | {measure.MatrixInstructions} ");
        text.Append(CultureInfo.InvariantCulture, $"| {measure.Instructions / one.Work:0.##} per {one.Unit} | {measure.LineShare:0.00} |\n");
    }
}
