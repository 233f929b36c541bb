using System.Diagnostics;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>A small part of the suite again in a process whose runtime believes the processor to be an older one.</summary>
public sealed class NarrowVectorTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", "256")]
    [InlineData("DOTNET_EnableAVX2", "128")]
    [InlineData("DOTNET_EnableHWIntrinsic", "128")]
    public void Kernels_are_right_without_wide_vectors(string variable, string width)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "Rocm.Inference.Conformance" + (OperatingSystem.IsWindows() ? ".exe" : string.Empty));
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string test in new[] { $"CpuLinear{width}.Stacked*", $"CpuLinear{width}.An_embedding*", $"CpuOps{width}.Gated*", $"CpuScaledWeight{width}.Every_element*", $"CpuAttention{width}.Every_head*", "CpuRopeStoreKv128.*" })
        {
            start.ArgumentList.Add("-method");
            start.ArgumentList.Add("*" + test);
        }

        start.Environment[variable] = "0";
        start.Environment.Remove("TESTINGPLATFORM_UI_LANGUAGE");
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(120)), "The child did not end in time.");
#pragma warning disable xUnit1031 // The process has ended.
        string text = output.Result + errors.Result;
#pragma warning restore xUnit1031
        Assert.True(process.ExitCode == 0 && text.Contains("Total: ", StringComparison.Ordinal) && !text.Contains("Total: 0", StringComparison.Ordinal), text);
    }
}
