using System.Diagnostics;

namespace Rocm.Inference.Native.Tests.Hip;

/// <summary>Builds native/fake_hip.c into folders that look like ROCm installations.</summary>
public sealed class FakeHipLibraries : IDisposable
{
    private readonly string? _compiler = Find("cc") ?? Find("gcc") ?? Find("clang");

    /// <summary>Folder that tests may write into.</summary>
    public string Root { get; } = Directory.CreateTempSubdirectory("rocm-inference-hip-").FullName;

    /// <summary>Path of a library built as the options say; skips the test where there is no C compiler.</summary>
    /// <param name="installation">Folder under <see cref="Root"/>.</param>
    /// <param name="name">File name in its lib folder.</param>
    /// <param name="options">Options for the compiler.</param>
    public string Build(string installation, string name, params string[] options)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The fake HIP runtime is built for Linux only.");
        Assert.SkipWhen(_compiler is null, "No C compiler (cc, gcc, clang) on PATH to build the fake HIP runtime with.");
        string path = Path.Combine(Directory.CreateDirectory(Path.Combine(Root, installation, "lib")).FullName, name);
        string source = Path.Combine(AppContext.BaseDirectory, "native", "fake_hip.c");
        Execute(_compiler!, ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", .. options, "-o", path, source]);
        return path;
    }

    /// <summary>Runs a C program against a header and returns what it prints.</summary>
    public string Evaluate(string program, params string[] options)
    {
        Assert.SkipWhen(_compiler is null, "No C compiler (cc, gcc, clang) on PATH.");
        string source = Path.Combine(Root, $"{Guid.NewGuid():N}.c");
        File.WriteAllText(source, program);
        Execute(_compiler!, ["-w", .. options, "-o", source + ".out", source]);
        return Execute(source + ".out", []);
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Root, recursive: true);

    private static string Execute(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {errors.Result}");
        return output;
    }

    private static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
