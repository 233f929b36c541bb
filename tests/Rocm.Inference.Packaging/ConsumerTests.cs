using Xunit;

namespace Rocm.Inference.Packaging;

/// <summary>What a user does: add the package to an app outside the repository, run it, publish it.</summary>
public sealed class ConsumerTests(PackedPackages packages)
{
    private const string Runtime = "linux-x64";

    [Fact]
    public async Task An_app_that_adds_the_package_completes_a_prompt()
    {
        string app = await packages.CreateConsumerAsync("portable");

        string output = await DotnetCommand.RunAsync("dotnet", app, "run", "-c", "Release", "--", packages.TinyLlama);

        AssertCompleted(output);
    }

    [Fact]
    public async Task A_single_file_publish_completes_a_prompt()
    {
        SkipUnlessLinuxX64();
        string app = await packages.CreateConsumerAsync("single-file");
        await DotnetCommand.RunAsync("dotnet", app, "publish", "-c", "Release", "-r", Runtime, "-p:PublishSingleFile=true", "--self-contained", "false", "-o", "out");

        string output = await DotnetCommand.RunAsync(Path.Combine(app, "out", "Consumer"), app, packages.TinyLlama);

        Assert.Empty(Directory.GetFiles(Path.Combine(app, "out"), "*.dll"));
        AssertCompleted(output);
    }

    [Fact]
    public async Task A_native_aot_publish_has_no_warnings_and_completes_a_prompt()
    {
        SkipUnlessLinuxX64();
        string app = await packages.CreateConsumerAsync("aot");
        await DotnetCommand.RunAsync("dotnet", app, "publish", "-c", "Release", "-r", Runtime, "-p:PublishAot=true", "-o", "out");

        string output = await DotnetCommand.RunAsync(Path.Combine(app, "out", "Consumer"), app, packages.TinyLlama);

        AssertCompleted(output);
    }

    private static void AssertCompleted(string output)
    {
        Assert.Contains("device=Cpu", output, StringComparison.Ordinal);
        string ids = output.Split('\n').Single(line => line.StartsWith("ids=", StringComparison.Ordinal));
        Assert.Equal(8, ids["ids=".Length..].Split(',').Length);
        string text = output.Split('\n').Single(line => line.StartsWith("text=", StringComparison.Ordinal));
        Assert.Matches("^text= [a-z]+", text);
    }

    private static void SkipUnlessLinuxX64() => Assert.SkipUnless(
        OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64,
        "publishes for linux-x64, which this machine is not");
}
