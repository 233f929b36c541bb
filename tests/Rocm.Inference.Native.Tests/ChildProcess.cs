using System.Diagnostics;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Tests.Hiprtc;
using Rocm.Inference.Native.Tests.Kernels;
using Rocm.Inference.Native.Tests.RocmSmi;

namespace Rocm.Inference.Native.Tests;

/// <summary>Runs a part of a test in a process of its own: one that loads another runtime, ends in a special way, or competes.</summary>
internal static class ChildProcess
{
    internal const string Switch = "--child";
    internal const string Exit = "exit";
    internal const string Cache = "cache";
    internal const string RealHiprtc = "real-hiprtc";
    internal const string RealSmi = "real-smi";
    internal const string Load = "load";

    internal static string Run(string name, string[] arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        using Process process = Start(name, arguments, environment);
        return Finish(process);
    }

    internal static Process Start(string name, string[] arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "Rocm.Inference.Native.Tests");
        var start = new ProcessStartInfo(program, [Switch, name, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string variable in (string[])["ROCM_PATH", "HIP_PATH", "LD_LIBRARY_PATH"]) start.Environment.Remove(variable);
        foreach ((string variable, string value) in environment ?? new Dictionary<string, string>()) start.Environment[variable] = value;
        return Process.Start(start)!;
    }

    internal static string Finish(Process process)
    {
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"The child process ended with {process.ExitCode}: {output}{errors.Result}");
        return output;
    }

    internal static int RunAsChild(string[] arguments)
    {
        switch (arguments)
        {
            case [Exit, var library]:
                HandleLifetimeTests.EndWithLiveObjects(library);
                return 0;
            case [Cache, var folder, var seed]:
                CodeObjectCacheTests.Compete(folder, seed);
                return 0;
            case [RealHiprtc]:
                HiprtcCompilerTests.CompileForReal();
                return 0;
            case [RealSmi]:
                RocmSmiMonitorTests.OpenForReal();
                return 0;
            case [Load, .. var path]:
                try
                {
                    using HipMemoryPool pool = HipRuntime.Load(path.FirstOrDefault()).OpenDefault().CreatePool();
                    Console.WriteLine("loaded");
                }
                catch (HipException e)
                {
                    Console.WriteLine(e.Message);
                }

                return 0;
            default:
                return 1;
        }
    }
}
