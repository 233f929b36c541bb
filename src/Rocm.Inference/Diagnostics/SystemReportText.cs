using System.Globalization;
using System.Text;

namespace Rocm.Inference.Diagnostics;

/// <summary>A <see cref="SystemReport"/> as lines of text: what there is in the first column, then facts, reasons indented below what they are about.</summary>
internal static class SystemReportText
{
    private const string Indent = "           ";

    public static string Of(SystemReport report)
    {
        var text = new StringBuilder();
        DeviceInfo processor = report.Processor;
        Line(text, "library", $"Rocm.Inference {typeof(SystemReport).Assembly.GetName().Version?.ToString(3)}");
        Line(text, "processor", string.Create(
            CultureInfo.InvariantCulture, $"{processor.Name} ({processor.Architecture}), {processor.ComputeUnits} threads, {processor.TotalMemoryBytes >> 20} MiB"));
        Line(text, "HIP", report.HipPath is null ? "not loaded" : $"{report.HipPath}, version {report.HipVersion?.ToString() ?? "unknown"}");
        foreach (string problem in report.HipProblems) Line(text, "", problem);
        if (report.Gpus.Count == 0)
        {
            // A problem may already quote what was tried.
            foreach (string attempt in report.HipAttempts.Except(report.HipProblems)) Line(text, "", $"tried {attempt}");
            Line(text, "GPU", "none");
        }

        foreach (GpuInfo gpu in report.Gpus) Append(text, gpu, report);
        Append(text, report.Aiter);
        return text.ToString();
    }

    private static void Append(StringBuilder text, GpuInfo gpu, SystemReport report)
    {
        Line(text, string.Create(CultureInfo.InvariantCulture, $"GPU {gpu.Index}"), string.Create(
            CultureInfo.InvariantCulture,
            $"{gpu.Name} ({gpu.Architecture ?? "unknown architecture"}), {gpu.ComputeUnits} compute units, {gpu.MemoryBytes >> 20} MiB{(gpu.IsIntegrated ? ", integrated: taken only when asked for" : "")}"));
        string compiled = gpu.NumCompiledKernels == 0 ? "none compiled ahead" : string.Create(CultureInfo.InvariantCulture, $"{gpu.NumCompiledKernels} units compiled ahead");
        string others = report.HiprtcVersion is null ? "no hipRTC for others" : $"others by hipRTC {report.HiprtcVersion}, kept in {report.KernelCacheFolder}";
        Line(text, "", gpu.Refusal is null ? $"kernels: {compiled}, {others}" : $"not usable: {gpu.Refusal}");
    }

    private static void Append(StringBuilder text, AiterReport aiter)
    {
        Line(text, "AITER", aiter.Summary);
        foreach (AiterTargetReport target in aiter.Targets)
        {
            string name = target.Chip is null ? target.Architecture : $"{target.Architecture}, {target.Chip}";
            Line(text, "", target.Refusal is null ? name : $"{name}, not used: {target.Refusal}");
            foreach (string defect in target.Defects) Line(text, "", $"  ! {defect}");
            foreach (IGrouping<string, AiterKernelInfo> family in target.Kernels.GroupBy(kernel => kernel.Family))
            {
                Line(text, "", string.Create(CultureInfo.InvariantCulture, $"  {family.Key}: {family.Count(kernel => kernel.IsUsable)} of {family.Count()} kernels"));
                foreach (AiterKernelInfo kernel in family.Where(kernel => kernel.IsUsable)) Line(text, "", $"    + {kernel.Operation}");
                foreach (IGrouping<string?, AiterKernelInfo> refused in family.Where(kernel => !kernel.IsUsable).GroupBy(kernel => kernel.Refusal))
                    Line(text, "", $"    - {Subject([.. refused])}: {refused.Key}");
            }
        }
    }

    private static string Subject(AiterKernelInfo[] kernels) => kernels.Length == 1
        ? kernels[0].Operation : string.Create(CultureInfo.InvariantCulture, $"{kernels.Length} like {kernels[0].Operation}");

    private static void Line(StringBuilder text, string subject, string fact) =>
        text.Append(subject.PadRight(Indent.Length)).Append(fact).Append(Environment.NewLine);
}
