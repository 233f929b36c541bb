using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Rocm.Inference.Native.Hiprtc;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Native.Tests.Kernels;

public sealed class CodeObjectCacheTests : IDisposable
{
    private const int CompetingKeys = 12;

    private readonly string _root = Directory.CreateTempSubdirectory("rocm-inference-cache-").FullName;
    private readonly string _folder;

    public CodeObjectCacheTests() => _folder = Path.Combine(_root, "cache");

    [Fact]
    public void Everything_that_decides_the_code_decides_the_key()
    {
        var source = new HiprtcSource("a.hip", "code", [new HiprtcHeader("h", "text")]);
        CodeObjectKey key = CodeObjectKey.Of(source, ["-O3", "-g"], "gfx942", "6.2");
        CodeObjectKey[] others =
        [
            CodeObjectKey.Of(source with { Text = "code " }, ["-O3", "-g"], "gfx942", "6.2"),
            CodeObjectKey.Of(source with { Name = "b.hip" }, ["-O3", "-g"], "gfx942", "6.2"),
            CodeObjectKey.Of(source with { Headers = [] }, ["-O3", "-g"], "gfx942", "6.2"),
            CodeObjectKey.Of(source with { Headers = [new HiprtcHeader("h", "texts")] }, ["-O3", "-g"], "gfx942", "6.2"),
            CodeObjectKey.Of(source with { Headers = [new HiprtcHeader("ht", "ext")] }, ["-O3", "-g"], "gfx942", "6.2"),
            CodeObjectKey.Of(source, ["-g", "-O3"], "gfx942", "6.2"),
            CodeObjectKey.Of(source, ["-O3-g"], "gfx942", "6.2"),
            CodeObjectKey.Of(source, ["-O3", "-g"], "gfx942:xnack+", "6.2"),
            CodeObjectKey.Of(source, ["-O3", "-g"], "gfx942", "6.3"),
        ];
        Assert.Equal(key, CodeObjectKey.Of(source with { }, ["-O3", "-g"], "gfx942", "6.2"));
        Assert.Equal(others.Length + 1, others.Append(key).Distinct().Count());
        Assert.Equal(64, key.Text.Length);
    }

    [Fact]
    public void A_code_object_is_compiled_once_and_found_by_later_caches()
    {
        byte[] code = [1, 2, 3];
        CodeObjectKey key = KeyOf(1);
        Assert.Equal(code, new CodeObjectCache(_folder).GetOrCompile(key, () => code));
        var later = new CodeObjectCache(_folder);
        Assert.Equal(code, later.GetOrCompile(key, () => throw new InvalidOperationException("was compiled again")));
        Assert.Null(later.TryRead(KeyOf(2)));
        Assert.Null(later.Problem);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Only_the_user_may_enter_the_folder_and_read_the_entries()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no mode bits.");
        new CodeObjectCache(_folder).Write(KeyOf(1), [1]);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Assert.Single(Directory.GetFiles(_folder))));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void A_folder_that_others_may_write_into_is_not_used()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no mode bits.");
        var cache = new CodeObjectCache(_folder);
        cache.Write(KeyOf(1), [1]);
        File.SetUnixFileMode(_folder, File.GetUnixFileMode(_folder) | UnixFileMode.OtherWrite);
        Assert.Equal([2], cache.GetOrCompile(KeyOf(1), () => [2]));
        Assert.EndsWith("is not used because others may write into it: allow only its owner to (chmod go-w).", cache.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Damage_anywhere_is_noticed_and_repaired()
    {
        byte[] code = [.. Enumerable.Range(0, 40).Select(i => (byte)i)];
        CodeObjectKey key = KeyOf(1);
        new CodeObjectCache(_folder).Write(key, code);
        string entry = Assert.Single(Directory.GetFiles(_folder));
        byte[] whole = File.ReadAllBytes(entry);
        for (int at = 0; at < whole.Length; at++)
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= 0x10;
            Expect(at < 8 ? "it is no cache entry" : at < 40 ? "it belongs to another key" : at < 48 ? "it is cut short or has grown" : "its checksum is wrong", damaged);
        }

        for (int length = 0; length < whole.Length; length += 7) Expect(length < CodeObjectFile.HeaderBytes ? "it is no cache entry" : "it is cut short or has grown", whole[..length]);
        Expect("it is cut short or has grown", [.. whole, 0]);

        void Expect(string defect, byte[] content)
        {
            File.WriteAllBytes(entry, content);
            var cache = new CodeObjectCache(_folder);
            Assert.Equal(code, cache.GetOrCompile(key, () => [.. code]));
            Assert.Equal($"{entry} was damaged ({defect}) and is made anew.", cache.Problem);
            Assert.Equal(whole, File.ReadAllBytes(entry));
        }
    }

    [Fact]
    public void A_folder_that_cannot_be_made_costs_compilations_only()
    {
        File.WriteAllText(_folder, "a file where the folder should be");
        var cache = new CodeObjectCache(_folder);
        Assert.Equal([5], cache.GetOrCompile(KeyOf(1), () => [5]));
        Assert.StartsWith($"{_folder} cannot be written: ", cache.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failing_compilation_leaves_nothing()
    {
        var cache = new CodeObjectCache(_folder);
        Assert.Throws<HipException>(() => cache.GetOrCompile(KeyOf(1), () => throw new HipException("no")));
        Assert.Null(cache.TryRead(KeyOf(1)));
        Assert.False(Directory.Exists(_folder));
    }

    [Fact]
    public void The_least_recently_used_go_when_there_are_too_many()
    {
        int entryBytes = CodeObjectFile.HeaderBytes + 100;
        var cache = new CodeObjectCache(_folder, maxBytes: 3 * entryBytes);
        for (int i = 0; i < 3; i++)
        {
            cache.Write(KeyOf(i), new byte[100]);
            File.SetLastWriteTimeUtc(EntryOf(i), DateTime.UtcNow.AddDays(i - 10));
        }

        string abandoned = Path.Combine(_folder, "x.tmp"), foreign = Path.Combine(_folder, "readme");
        File.WriteAllText(abandoned, "");
        File.WriteAllText(foreign, "");
        File.SetLastWriteTimeUtc(abandoned, DateTime.UtcNow.AddDays(-1));
        File.SetLastWriteTimeUtc(foreign, DateTime.UtcNow.AddDays(-100));
        // Reading the oldest makes it the newest.
        Assert.NotNull(cache.TryRead(KeyOf(0)));
        cache.Write(KeyOf(3), new byte[100]);

        Assert.Equal([true, false, true, true], Enumerable.Range(0, 4).Select(i => File.Exists(EntryOf(i))));
        Assert.False(File.Exists(abandoned));
        Assert.True(File.Exists(foreign));
    }

    [Fact]
    public void The_folder_follows_the_variables()
    {
        var variables = new Dictionary<string, string?> { ["HOME"] = "/home/a" };
        Assert.Equal("/home/a/.cache/rocm-inference", CodeObjectCache.UserFolder(variables.GetValueOrDefault, windows: false));
        variables["XDG_CACHE_HOME"] = "relative";
        Assert.Equal("/home/a/.cache/rocm-inference", CodeObjectCache.UserFolder(variables.GetValueOrDefault, windows: false));
        variables["XDG_CACHE_HOME"] = "/var/tmp/b";
        Assert.Equal("/var/tmp/b/rocm-inference", CodeObjectCache.UserFolder(variables.GetValueOrDefault, windows: false));
        variables["ROCM_INFERENCE_CACHE_DIR"] = "/c";
        Assert.Equal("/c", CodeObjectCache.UserFolder(variables.GetValueOrDefault, windows: false));
    }

    [Fact]
    public void Processes_that_write_read_damage_and_evict_the_same_entries_get_the_right_code()
    {
        Process[] children = [.. Enumerable.Range(0, 3).Select(i => ChildProcess.Start(ChildProcess.Cache, [_folder, i.ToString(CultureInfo.InvariantCulture)]))];
        string[] outputs = [.. children.Select(ChildProcess.Finish)];
        foreach (Process child in children) child.Dispose();
        TestContext.Current.TestOutputHelper?.WriteLine(string.Concat(outputs));
        Assert.All(outputs, output => Assert.StartsWith("right 300", output, StringComparison.Ordinal));
        Assert.Empty(Directory.GetFiles(_folder, "*.tmp"));
    }

    /// <summary>In a child process: 300 lookups, some of which damage an entry first.</summary>
    internal static void Compete(string folder, string seed)
    {
        // Room for two thirds of the entries, so that all evict.
        var cache = new CodeObjectCache(folder, maxBytes: CompetingKeys * 2 / 3 * (CodeObjectFile.HeaderBytes + 20_000));
        var random = new Random(int.Parse(seed, CultureInfo.InvariantCulture));
        int right = 0, compiled = 0;
        for (int i = 0; i < 300; i++)
        {
            int which = random.Next(CompetingKeys);
            string entry = Path.Combine(folder, KeyOf(which).Text + ".co");
            if (i % 20 == 19) Damage(entry);
            byte[] code = cache.GetOrCompile(KeyOf(which), () =>
            {
                compiled++;
                return CodeOf(which);
            });
            if (code.AsSpan().SequenceEqual(CodeOf(which))) right++;
        }

        Console.WriteLine($"right {right}, compiled {compiled}");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static void Damage(string entry)
    {
        try
        {
            using FileStream file = File.Open(entry, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            file.SetLength(1000);
        }
        catch (IOException)
        {
            // Evicted, or held by another: nothing to damage.
        }
    }

    private static byte[] CodeOf(int which)
    {
        byte[] code = new byte[20_000];
        new Random(which).NextBytes(code);
        return code;
    }

    private static CodeObjectKey KeyOf(int which) =>
        CodeObjectKey.Of(new HiprtcSource("k.hip", which.ToString(CultureInfo.InvariantCulture), []), [], "gfx942", "1");

    private string EntryOf(int which) => Path.Combine(_folder, KeyOf(which).Text + ".co");
}
