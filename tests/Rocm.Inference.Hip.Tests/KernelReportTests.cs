using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>The committed report on the compiled kernels is of the kernels that the package holds, and says of them what the library promises.</summary>
public sealed class KernelReportTests
{
    // CDNA first.
    private static readonly string[] Targets = ["gfx90a", "gfx942", "gfx1100", "gfx1201"];

    private static readonly string Report = Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Benchmarks", "results", "kernel-report.md");

    [Fact]
    public void Every_instance_that_is_compiled_ahead_has_its_rows_for_every_target_and_no_other_has()
    {
        string[] all = Instances("precompiled.txt"), cdna = Instances("precompiled.cdna.txt");
        Assert.Equal(all.Concat(cdna).Distinct(), all.Concat(cdna));
        Assert.Equal(
            all.SelectMany(instance => Targets.Select(target => (instance, target))).Concat(cdna.SelectMany(instance => Targets[..2].Select(target => (instance, target)))),
            Rows("From the compiler").Select(row => (row["instance"], row["target"])).Distinct());
    }

    [Fact]
    public void No_kernel_spills_or_uses_scratch_memory()
    {
        Assert.Empty(Rows("From the compiler").Where(row => row["VGPR spills"] != "0" || row["scratch"] != "0").Select(row => $"{row["instance"]} {row["target"]}"));
    }

    [Fact]
    public void Every_shape_ran_on_both_emulated_targets()
    {
        ILookup<string, string> shapes = Rows("From the emulator").ToLookup(row => row["target"], row => $"{row["kernel"]} {row["shape"]}");
        Assert.Equal([EmulatedGpu.Gfx942, EmulatedGpu.Gfx1100], shapes.Select(group => group.Key));
        Assert.Equal(shapes[EmulatedGpu.Gfx942], shapes[EmulatedGpu.Gfx1100]);
    }

    [Fact]
    public void Attention_that_AITER_has_kernels_for_is_reported_beside_them()
    {
        ILookup<string, string> rows = Rows("AITER's code objects beside ours").ToLookup(row => row["whose"] == "ours" ? "ours" : "aiter", row => $"{row["kernel"]} {row["shape"]}");
        Assert.Equal(rows["ours"], rows["aiter"]);
        foreach (string kernel in (string[])["PagedDecode", "MlaDecode", "FlashVarlen"])
            Assert.Contains(rows["ours"], row => row.StartsWith(kernel, StringComparison.Ordinal));
    }

    private static string[] Instances(string list) =>
        [.. File.ReadLines(Path.Combine(RepositoryPaths.Root, "src", "Rocm.Inference.Native", "Kernels", list)).Where(line => line.Length > 0 && line[0] != '#')];

    /// <summary>Rows of the table below a heading, by column.</summary>
    private static List<Dictionary<string, string>> Rows(string heading)
    {
        string[][] lines =
        [
            .. File.ReadLines(Report).SkipWhile(line => line != $"## {heading}").Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal))
                .Where(line => line.StartsWith('|')).Select(line => line.Trim('|').Split('|', StringSplitOptions.TrimEntries)),
        ];
        var rows = new List<Dictionary<string, string>>();
        foreach (string[] cells in lines[2..])
        {
            var row = new Dictionary<string, string>();
            for (int i = 0; i < cells.Length; i++) row.TryAdd(lines[0][i], cells[i]);
            rows.Add(row);
        }

        Assert.NotEmpty(rows);
        return rows;
    }
}
