using System.Diagnostics;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>Programs of LLVM, and scripts.</summary>
internal static class Tool
{
    /// <summary>What the program prints.</summary>
    /// <exception cref="InvalidOperationException">It is not there or failed.</exception>
    public static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}.");
    }
}
