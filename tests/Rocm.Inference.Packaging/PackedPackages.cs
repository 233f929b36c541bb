using System.Globalization;
using System.Reflection;
using Rocm.Inference.Packaging;
using Xunit;

[assembly: AssemblyFixture(typeof(PackedPackages))]

namespace Rocm.Inference.Packaging;

/// <summary>Both packages, packed once per run under a version of their own, in a folder that serves as a NuGet feed.</summary>
public sealed class PackedPackages : IAsyncLifetime
{
    private static readonly string[] Projects = ["Rocm.Inference.Native", "Rocm.Inference"];

    public string Root { get; } = Metadata("RepositoryRoot");

    public string Version { get; } = "0.1.0-t" + DateTime.UtcNow.ToString("yyyyMMddHHmmssfff", CultureInfo.InvariantCulture);

    public string Folder { get; } = Directory.CreateTempSubdirectory("rocm-inference-packaging-").FullName;

    public string Feed => Path.Combine(Folder, "feed");

    public string TinyLlama => Path.Combine(Root, "samples", "models", "tiny-llama");

    public async ValueTask InitializeAsync() => await PackAsync(Feed);

    public async Task PackAsync(string folder)
    {
        foreach (string project in Projects)
        {
            await DotnetCommand.RunAsync(
                "dotnet", Root, "pack", Path.Combine("src", project), "-c", Metadata("Configuration"), "--no-build", "-o", folder,
                "-p:SkipKernels=true", $"-p:PackageVersion={Version}");
        }
    }

    /// <summary>A console app outside the repository that got the package by "dotnet add package".</summary>
    public async Task<string> CreateConsumerAsync(string name)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Folder, name)).FullName;
        string source = Path.Combine(AppContext.BaseDirectory, "consumer");
        File.Copy(Path.Combine(source, "Program.cs"), Path.Combine(folder, "Program.cs"));
        File.Copy(Path.Combine(source, "Consumer.csproj.txt"), Path.Combine(folder, "Consumer.csproj"));
        File.WriteAllText(
            Path.Combine(folder, "nuget.config"),
            $"<configuration><packageSources><add key=\"packed\" value=\"{Feed}\" /></packageSources></configuration>");
        await DotnetCommand.RunAsync("dotnet", folder, "add", "package", "Rocm.Inference", "--version", Version);
        return folder;
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        string cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        foreach (string project in Projects)
        {
            string folder = Path.Combine(cache, project.ToLowerInvariant(), Version);
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }

        return ValueTask.CompletedTask;
    }

    private static string Metadata(string key) => typeof(PackedPackages).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == key).Value!;
}
