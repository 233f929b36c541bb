using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>A sample in a process of its own, as built beside these tests.</summary>
internal sealed partial class SampleProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();
    private readonly Task _reading;

    private SampleProcess(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _output), ReadAsync(process.StandardError, _errors));
    }

    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    public string Errors
    {
        get
        {
            lock (_errors) return _errors.ToString();
        }
    }

    public int ExitCode => _process.ExitCode;

    public static SampleProcess Start(string sample, params string[] arguments) => Start(sample, arguments, environment: []);

    /// <param name="sample">Name of its project.</param>
    /// <param name="arguments">Its command line.</param>
    /// <param name="environment">Variables that it gets besides those of this process.</param>
    public static SampleProcess Start(string sample, string[] arguments, params ReadOnlySpan<(string Name, string Value)> environment)
    {
        // .../tests/Rocm.Inference.Golden/bin/<configuration>/<framework>/
        var here = new DirectoryInfo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string program = Path.Combine(RepositoryPaths.Root, "samples", sample, "bin", here.Parent!.Name, here.Name, $"{sample}.dll");
        var start = new ProcessStartInfo { RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8 };
        if (OperatingSystem.IsLinux())
        {
            // A test run in the background of a shell ignores SIGINT, and what it starts would too.
            start.FileName = "env";
            start.ArgumentList.Add("--default-signal=INT");
            start.ArgumentList.Add("dotnet");
        }
        else
        {
            start.FileName = "dotnet";
        }

        start.ArgumentList.Add(program);
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        return new SampleProcess(Process.Start(start)!);
    }

    public static async Task<SampleProcess> RunAsync(string sample, params string[] arguments)
    {
        SampleProcess process = Start(sample, arguments);
        await process.EndAsync();
        return process;
    }

    /// <param name="patience">How long it may take; by default a minute.</param>
    public async Task EndAsync(TimeSpan? patience = null)
    {
        await _process.WaitForExitAsync().WaitAsync(patience ?? Patience);
        await _reading.WaitAsync(Patience);
    }

    public async Task WaitForOutputAsync(Func<string, bool> isEnough)
    {
        for (long start = Stopwatch.GetTimestamp(); !isEnough(Output); await Task.Delay(20))
            Assert.True(!_process.HasExited && Stopwatch.GetElapsedTime(start) < Patience, $"The output ends with: {Output} {Errors}");
    }

    public void Interrupt() => Assert.Equal(0, Kill(_process.Id, 2));

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    private static async Task ReadAsync(StreamReader reader, StringBuilder into)
    {
        char[] buffer = new char[1024];
        for (int count; (count = await reader.ReadAsync(buffer)) > 0;)
        {
            lock (into) into.Append(buffer, 0, count);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
