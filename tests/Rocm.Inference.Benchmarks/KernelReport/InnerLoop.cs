using System.Globalization;
using System.Text.RegularExpressions;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>Instructions of a stretch of code.</summary>
/// <param name="Instructions">All of them.</param>
/// <param name="Matrix">MFMA or WMMA.</param>
/// <param name="WideLoads">Loads from memory of 16 bytes a lane.</param>
/// <param name="NarrowLoads">Loads from memory of fewer bytes a lane.</param>
internal readonly record struct InstructionCounts(int Instructions, int Matrix, int WideLoads, int NarrowLoads)
{
    public override string ToString() => $"{Instructions} | {Matrix} | {WideLoads} | {NarrowLoads}";
}

/// <summary>A kernel's instructions, and those of its innermost loop.</summary>
/// <param name="All">Of the whole kernel.</param>
/// <param name="Loop">Of the loop; null when what the kernel is for lies outside of loops.</param>
internal sealed partial record InnerLoop(InstructionCounts All, InstructionCounts? Loop)
{
    /// <summary>
    /// Reads a listing. A loop is what lies between the target of a backward branch and the branch. Of those with matrix instructions the smallest counts;
    /// of kernels without, the smallest with loads of 16 bytes; of kernels without those, the smallest with loads.
    /// </summary>
    public static IReadOnlyDictionary<string, InnerLoop> Read(string file)
    {
        var kernels = new Dictionary<string, InnerLoop>();
        string? name = null;
        List<Instruction> code = [];
        foreach (string line in Tool.Run("llvm-objdump-19", "-d", file).Split('\n'))
        {
            if (Symbol().Match(line) is { Success: true } symbol)
            {
                Close();
                (name, code) = (symbol.Groups[2].Value, []);
            }
            else if (Line().Match(line) is { Success: true } match)
            {
                int? target = match.Groups[3].Success ? int.Parse(match.Groups[3].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture) : null;
                code.Add(new Instruction(match.Groups[1].Value, long.Parse(match.Groups[2].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture), target));
            }
        }

        Close();
        return kernels;

        void Close()
        {
            if (name is not null && code.Count > 0) kernels[name] = Find(code);
        }
    }

    private static InnerLoop Find(List<Instruction> code)
    {
        var at = new Dictionary<long, int>();
        for (int i = 0; i < code.Count; i++) at[code[i].Address - code[0].Address] = i;
        List<(int First, int Last)> loops = [];
        for (int i = 0; i < code.Count; i++)
        {
            if (code[i].Target is { } target && at.TryGetValue(target, out int first) && first <= i) loops.Add((first, i));
        }

        // The smallest that does what the kernel is for: loops around it hold its instructions too.
        InstructionCounts[] counts = [.. loops.Select(loop => Count(code[loop.First..(loop.Last + 1)])).OrderBy(loop => loop.Instructions)];
        InstructionCounts all = Count(code);
        Func<InstructionCounts, bool> holds = all.Matrix > 0 ? loop => loop.Matrix > 0 : all.WideLoads > 0 ? loop => loop.WideLoads > 0 : loop => loop.NarrowLoads > 0;
        return new InnerLoop(all, counts.Any(holds) ? counts.First(holds) : null);
    }

    private static InstructionCounts Count(List<Instruction> code) => new(
        code.Count, code.Count(x => Matrices().IsMatch(x.Name)), code.Count(x => Wide().IsMatch(x.Name)), code.Count(x => Loads().IsMatch(x.Name) && !Wide().IsMatch(x.Name)));

    /// <param name="Name">Mnemonic.</param>
    /// <param name="Address">In the code object.</param>
    /// <param name="Target">Of a branch: offset from the kernel's first instruction.</param>
    private sealed record Instruction(string Name, long Address, int? Target);

    [GeneratedRegex("^([0-9a-f]{16}) <(.+)>:$")]
    private static partial Regex Symbol();

    [GeneratedRegex(@"^\t([a-z0-9_]+)\b.*// ([0-9A-F]+):[0-9A-F ]*(?:<[^+>]+(?:\+0x([0-9a-f]+))?>)?")]
    private static partial Regex Line();

    [GeneratedRegex("^v_(mfma|wmma|smfmac|swmmac)")]
    private static partial Regex Matrices();

    [GeneratedRegex("^(global|flat|buffer)_load_(dwordx4|b128)")]
    private static partial Regex Wide();

    [GeneratedRegex("^(global|flat|buffer)_load_")]
    private static partial Regex Loads();
}
