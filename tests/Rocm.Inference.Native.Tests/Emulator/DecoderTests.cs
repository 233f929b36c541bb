using System.Globalization;
using System.Text.RegularExpressions;

namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>Holds the decoder against LLVM's disassembler: every instruction of every test kernel.</summary>
[Collection(GfxEmulator.Collection)]
public sealed partial class DecoderTests(GfxEmulator device)
{
    // Their operands are numbers with names in LLVM's listing, and say nothing about registers.
    private static readonly string[] NamesOnly =
    [
        "s_branch", "s_cbranch", "s_waitcnt", "s_nop", "s_delay", "s_clause", "s_sendmsg", "s_sleep", "s_set", "s_getreg", "s_trap", "s_movk", "s_cmpk", "s_addk", "s_mulk",
        "ds_swizzle", "s_endpgm",
    ];

    public static TheoryData<string> Targets => ["gfx942", "gfx1100"];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Every_instruction_reads_as_LLVM_reads_it(string arch)
    {
        device.Reset(arch);
        string? disassembler = GfxEmulator.Find("llvm-objdump-19");
        Assert.SkipWhen(disassembler is null, "No llvm-objdump-19 on PATH (Debian: llvm-19).");
        List<string> differences = [];
        int count = 0;
        foreach (string file in (string[])["basic", "numbers", "matrix", "faults"])
        {
            string path = device.Compile(file, arch);
            var ours = GfxEmulator.Execute(Path.Combine(device.Folder, "gfxemu-listing"), arch, path).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Split(' ', 3)).ToDictionary(line => long.Parse(line[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture), line => line[2]);
            long start = -1;
            foreach (Match line in Line().Matches(GfxEmulator.Execute(disassembler!, "-d", path)))
            {
                long address = long.Parse(line.Groups[2].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                if (start < 0) start = address;
                string theirs = line.Groups[1].Value;
                if (theirs.StartsWith("s_code_end", StringComparison.Ordinal)) continue;
                count++;
                string mine = ours.GetValueOrDefault(address - start, "nothing");
                if (Normal(theirs) != Normal(mine)) differences.Add($"{file} +0x{address - start:x}: {theirs} | {mine}");
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{arch}: {count} instructions");
        Assert.True(differences.Count == 0, $"{differences.Count} of {count} differ:\n{string.Join('\n', differences.Take(20))}");
        Assert.True(count > 2000, $"only {count} instructions were compared");
    }

    // Mnemonic and operands; of the modifiers only offsets.
    private static string Normal(string text) => string.Join(" :: ", text.Split(" :: ").Select(half =>
    {
        string[] words = Modifier().Replace(half, "").Trim().Split(' ', 2);
        string name = Encoding().Replace(words[0], "");
        if (words.Length == 1 || NamesOnly.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))) return name;
        IEnumerable<string> operands = words[1].Split(',').Select(operand =>
        {
            string[] parts = operand.Trim().Split(' ');
            return Literal(parts[0]) + string.Concat(parts.Skip(1).Where(part => part.StartsWith("offset", StringComparison.Ordinal)));
        });
        return name + " " + string.Join(", ", operands);
    }));

    // "null" as an offset is none; constants of 16 bits are written without what sign extension adds.
    private static string Literal(string operand) => operand switch
    {
        "null" => "0x0",
        "-1" => "0xffffffff",
        _ when operand.StartsWith("0xffff", StringComparison.Ordinal) && operand.Length == 10 && operand != "0xffffffff" => "0x" + operand[6..],
        _ => operand.StartsWith("sext(", StringComparison.Ordinal) ? operand[5..^1] : operand,
    };

    [GeneratedRegex(@"^\s+(\S.*?)\s*// ([0-9A-F]+): [0-9A-F ]+", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex("_(e32|e64|dpp|sdwa|e64_dpp)$")]
    private static partial Regex Encoding();

    [GeneratedRegex(@" [a-z_0-9]+:\[[^\]]*\]")]
    private static partial Regex Modifier();
}
