using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Tests.Hip;

/// <summary>Runs the probe in a process of its own and brings its reports back.</summary>
internal static class ProbeProcess
{
    internal const string Switch = "--probe";

    /// <summary>A variable that makes the child resolve the assembly's imports itself, and fail.</summary>
    internal const string HostResolver = "PROBE_HOST_RESOLVER";

    private const string Usual = "-";

    /// <summary>Reports of one process that probes each path in turn; null is the usual places.</summary>
    internal static Answer[] Run(IReadOnlyList<string?> paths, IReadOnlyDictionary<string, string>? environment = null)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "Rocm.Inference.Native.Tests");
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Switch);
        foreach (string? path in paths) start.ArgumentList.Add(path ?? Usual);
        foreach (string name in (string[])["ROCM_PATH", "HIP_PATH", "LD_LIBRARY_PATH"]) start.Environment.Remove(name);
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;

        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"The probe's process ended with {process.ExitCode}: {output}{errors.Result}");
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<Answer>(line)!)];
    }

    internal static HipRuntimeReport RunOnce(string? path, IReadOnlyDictionary<string, string>? environment = null) =>
        Assert.Single(Run([path], environment)).Report;

    internal static int RunAsChild(string[] paths)
    {
        bool hosted = Environment.GetEnvironmentVariable(HostResolver) is not null;
        if (hosted)
        {
            NativeLibrary.SetDllImportResolver(
                typeof(HipException).Assembly, (name, _, _) => throw new DllNotFoundException("the host has no " + name));
        }

        foreach (string path in paths)
        {
            long start = Stopwatch.GetTimestamp();
            HipRuntimeReport report = HipRuntimeProbe.Probe(path == Usual ? null : path);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            string[] exceptions = hosted || report.LibraryPath is null ? [] : [Failure(() => HipStatus.ThrowIfFailed(HipApi.hipInit(99), device: 3))];
            Console.WriteLine(JsonSerializer.Serialize(new Answer(report, seconds, report.ToString(), exceptions)));
        }

        return 0;
    }

    private static string Failure(Action call)
    {
        try
        {
            call();
            return "";
        }
        catch (HipException e)
        {
            return $"{e.Code}|{e.Name}|{e.Call}|{e.Device}|{e.Message}";
        }
    }

    internal sealed record Answer(HipRuntimeReport Report, double Seconds, string Text, string[] Exceptions);
}
