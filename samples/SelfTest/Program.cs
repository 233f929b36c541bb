using Rocm.Inference;
using SelfTest;

if (!Arguments.TryParse(args, out Arguments arguments, out string problem))
{
    Console.Error.WriteLine(problem);
    Console.Error.WriteLine("Run with --help for the options.");
    return 2;
}

if (arguments.Help)
{
    Console.WriteLine(Arguments.HelpText);
    return 0;
}

using var cancel = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    cancel.Cancel();
};

try
{
    var device = new InferenceSessionOptions { Device = arguments.Device, DeviceIndex = arguments.DeviceIndex, NumThreads = arguments.Threads };
    var options = new SelfTestOptions { Size = arguments.Size, Kernels = arguments.Kernels, Seed = arguments.Seed };
    SelfTestReport report = await DeviceSelfTest.RunAsync(device, options, new ResultTable(), cancel.Token);
    ResultTable.Summarize(report);
    if (arguments.JsonFile is { } json) ResultFile.Write(report, json);
    return report.Results.Any(result => result.Outcome == SelfTestOutcome.Failed) ? 1 : 0;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Stopped.");
    return 130;
}
catch (Exception error) when (error is RocmInferenceException or ArgumentException or IOException or UnauthorizedAccessException
    or Microsoft.Extensions.Options.OptionsValidationException)
{
    Console.Error.WriteLine(error.Message);
    return 2;
}
