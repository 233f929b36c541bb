using System.Globalization;
using System.Text;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>Writes results/kernel-report.md: what the compiler made of every instance that the package holds, and what the emulator counts while they run.</summary>
internal static class KernelReportCommand
{
    public static readonly string ReportFile = Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Benchmarks", "results", "kernel-report.md");

    private const string CompilerHeading = "## From the compiler";

    private static readonly string[] Targets = ["gfx90a", "gfx942", "gfx1100", "gfx1201"];

    public static void Run(CommandArguments arguments)
    {
        if (EmulatedGpu.Missing is { } reason) throw new InvalidOperationException(reason);
        string file = arguments.Text("--output") ?? ReportFile;
        var text = new StringBuilder(Introduction);
        string[] known = File.Exists(file) ? File.ReadAllLines(file) : [];
        AppendStatic(text, arguments.Has("--all") ? [] : RowsOf(known));
        EmulatedCounts.Append(text);
        AiterCounts.Append(text, arguments.Text("--aiter"), known);
        File.WriteAllText(file, text.ToString());
        Console.WriteLine(file);
    }

    /// <summary>Rows of a report by what stands in their first three columns: instance, source and target.</summary>
    private static Dictionary<string, List<string>> RowsOf(string[] report) =>
        report.SkipWhile(line => line != CompilerHeading).TakeWhile(line => line != EmulatedCounts.Heading).Where(line => line.StartsWith('|'))
            .GroupBy(line => string.Join('|', line.Split('|')[1..4].Select(cell => cell.Trim()))).ToDictionary(group => group.Key, group => group.ToList());

    /// <summary>Compiles what has no row yet, or another source than its row.</summary>
    private static void AppendStatic(StringBuilder text, Dictionary<string, List<string>> known)
    {
        var rows = new Dictionary<string, List<string>>();
        string folder = Directory.CreateTempSubdirectory("kernel-report-").FullName;
        try
        {
            foreach (string target in Targets)
            {
                string Key(string instance) => $"{instance}|{CompiledUnits.SourceOf(instance)}|{target}";
                string[] changed = [.. CompiledUnits.InstancesOf(target).Where(instance => !known.ContainsKey(Key(instance)))];
                foreach (string instance in CompiledUnits.InstancesOf(target).Except(changed)) rows[Key(instance)] = known[Key(instance)];
                if (changed.Length == 0) continue;
                CompiledUnits units = CompiledUnits.Compile(target, folder, changed);
                Console.WriteLine($"{target}: {changed.Length} instances compiled in {units.Duration.TotalSeconds:F0} s, {units.ArchiveBytes / 1024} KiB");
                foreach (string instance in changed) rows[Key(instance)] = [.. RowsOf(instance, units)];
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        text.Append(CultureInfo.InvariantCulture, $"\n{CompilerHeading}\n\n");
        text.Append("| instance | source | target | kernel | VGPRs | SGPRs | VGPR spills | SGPR spills | scratch | LDS | threads | occupancy | loop | MFMA/WMMA | 16-byte loads | narrower loads | kernel in all | MFMA/WMMA | 16-byte loads | narrower loads |\n");
        text.Append("| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        foreach (string instance in CompiledUnits.Instances)
        {
            foreach (string target in Targets.Where(target => CompiledUnits.InstancesOf(target).Contains(instance)))
            {
                foreach (string row in rows[$"{instance}|{CompiledUnits.SourceOf(instance)}|{target}"]) text.Append(row).Append('\n');
            }
        }
    }

    private static IEnumerable<string> RowsOf(string instance, CompiledUnits units)
    {
        IReadOnlyDictionary<string, InnerLoop> loops = InnerLoop.Read(units.Files[instance]);
        foreach (KernelFacts kernel in KernelFacts.Read(units.Files[instance]))
        {
            InnerLoop loop = loops[kernel.Name];
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"| {instance} | {CompiledUnits.SourceOf(instance)} | {units.Target} | {kernel.Name} | {kernel.Vgprs} | {kernel.Sgprs} | {kernel.VgprSpills} | {kernel.SgprSpills} | {kernel.ScratchBytes} "
                + $"| {kernel.LdsBytes} | {kernel.Threads} | {kernel.Occupancy(units.Target)} | {loop.Loop?.ToString() ?? "none | | | "} | {loop.All} |");
        }
    }

    private const string Introduction = """
        # Kernels, as compiled and as executed

        Made by this command, which needs Debian's clang-19, lld-19 and llvm-19. It compiles what is new or has changed ("source" is a hash of it), with --all
        everything; a test holds the rows to the list of instances:

            dotnet run -c Release --project tests/Rocm.Inference.Benchmarks -- kernel-report

        Every instance of src/Rocm.Inference.Native/Kernels/precompiled.txt for every target of the package, of precompiled.cdna.txt for those of CDNA. Registers, spills, scratch and LDS are from the code
        object's metadata; LDS that a launch adds is not in it; spilled SGPRs go to lanes of VGPRs. Occupancy: waves that a SIMD can hold by registers and LDS, at most 8 on gfx9 and 16 on gfx11 and gfx12.
        Inner loop: instructions between the target of a backward branch and the branch; the smallest such loop with matrix instructions, in kernels without those with
        loads of 16 bytes, else with loads. "none": what the kernel does is not in a loop. The last four columns are of the whole kernel.

        """;
}
