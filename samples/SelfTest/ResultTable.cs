using Rocm.Inference;

namespace SelfTest;

/// <summary>Prints results as they come: a line each, the kernel's name before its first.</summary>
internal sealed class ResultTable : IProgress<SelfTestResult>
{
    private string? _kernel;

    public void Report(SelfTestResult value)
    {
        if (_kernel is null) Console.WriteLine($"{"",-6} {"error",6} {"time",12} {"GB/s",8}");
        if (value.Kernel != _kernel) Console.WriteLine(value.Kernel);
        _kernel = value.Kernel;
        string verdict = value.Outcome switch { SelfTestOutcome.Passed => "right", SelfTestOutcome.NotSupported => "none", _ => "WRONG" };
        string time = value.Time is { } t ? $"{t.TotalMicroseconds:0.0} us" : "";
        Console.WriteLine($"  {verdict,-5} {value.Error,5:0.00} {time,12} {value.GigabytesPerSecond,8:0.0}  {value.Shape}");
        if (!value.Passed) Console.WriteLine($"        {value.Failure}");
    }

    public static void Summarize(SelfTestReport report)
    {
        int passed = report.Results.Count(result => result.Passed);
        string[] missing = [.. report.Results.Where(result => result.Outcome == SelfTestOutcome.NotSupported).Select(result => result.Kernel).Distinct()];
        string[] wrong = [.. report.Results.Where(result => result.Outcome == SelfTestOutcome.Failed).Select(result => result.Kernel).Distinct()];
        Console.WriteLine();
        Console.WriteLine("error: the largest of all elements, in units of what rounding allows. GB/s: operands, each once, by time.");
        Console.WriteLine($"{report.DeviceName} ({report.Architecture}, values between kernels are {report.ActivationDType}): {passed} of {report.Results.Count} checks are right.");
        if (missing.Length > 0) Console.WriteLine($"Not on this device, at least at some shapes: {string.Join(", ", missing)}.");
        if (wrong.Length > 0) Console.WriteLine($"WRONG: {string.Join(", ", wrong)}. Do not use this device; please report it with this table.");
    }
}
