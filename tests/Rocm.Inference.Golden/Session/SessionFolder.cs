using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>A temporary Hugging Face folder that a session can load, and damage can be done to.</summary>
internal sealed class SessionFolder : IDisposable
{
    private SessionFolder() => Path = Directory.CreateTempSubdirectory("session-").FullName;

    public string Path { get; }

    /// <summary>A golden checkpoint with a tokenizer of bytes.</summary>
    public static SessionFolder Golden(string name, GoldenWeights weights = GoldenWeights.Float32, int shards = 1)
    {
        var folder = new SessionFolder();
        GoldenCheckpoint.Load(name).WriteTo(folder.Path, weights, shards);
        ByteTokenizer.WriteTo(folder.Path);
        return folder;
    }

    /// <summary>A copy of a trained model (tiny-…), or a golden checkpoint.</summary>
    public static SessionFolder Named(string name)
    {
        if (!name.StartsWith("tiny-", StringComparison.Ordinal)) return Golden(name);
        var folder = new SessionFolder();
        foreach (string file in Directory.GetFiles(System.IO.Path.Combine(RepositoryPaths.Root, "samples", "models", name))) System.IO.File.Copy(file, folder.File(System.IO.Path.GetFileName(file)));
        return folder;
    }

    public static SessionFolder Empty() => new();

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Checks that this process has no file of the folder open or mapped.</summary>
    public void AssertReleased()
    {
        if (!OperatingSystem.IsLinux()) return;
        Assert.DoesNotContain(System.IO.File.ReadLines("/proc/self/maps"), line => line.Contains(Path, StringComparison.Ordinal));
        foreach (string handle in Directory.GetFiles("/proc/self/fd"))
        {
            string? target = null;
            try
            {
                target = new FileInfo(handle).LinkTarget;
            }
            catch (IOException)
            {
                // Closed meanwhile, by another test.
            }

            Assert.False(target?.Contains(Path, StringComparison.Ordinal) ?? false, target);
        }
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
