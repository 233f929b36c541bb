using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Rocm.Inference.Benchmarks;

/// <summary>MB of UTF-8 a second, on the English XML documentation that comes with the SDK, or on a file.</summary>
internal static class TokenizerBench
{
    private const int MaxBytes = 8 << 20;

    public static void Run(CommandArguments arguments)
    {
        Tokenizer tokenizer = Tokenizer.Load(arguments.Operand("a model folder"));
        string text = Read(arguments.Text("--text"));
        double megabytes = Encoding.UTF8.GetByteCount(text) / 1e6;
        int repeat = arguments.Number("--repeat", 5);
        int[] ids = [];
        string decoded = "";

        // Twice before counting: what is compiled quickly at first is compiled well by then.
        double encode = Median(repeat, () => ids = tokenizer.Encode(text, addSpecialTokens: false));
        double decode = Median(repeat, () => decoded = tokenizer.Decode(ids));
        string sentence = text[..Math.Min(text.Length, 200)];
        double calls = Median(repeat, () =>
        {
            for (int i = 0; i < 1000; i++) tokenizer.Encode(sentence);
        });
        double sentenceMegabytes = Encoding.UTF8.GetByteCount(sentence) * 1000 / 1e6;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{megabytes:F1} MB, {ids.Length} tokens ({megabytes * 1e6 / ids.Length:F2} bytes each), comes back equal: {decoded == text}"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"encode {megabytes / encode:F1} MB/s, in calls of 200 characters {sentenceMegabytes / calls:F1} MB/s; decode {megabytes / decode:F1} MB/s"));
    }

    private static double Median(int repeat, Action action)
    {
        for (int warm = 0; warm < 2; warm++) action();
        var seconds = new double[repeat];
        for (int r = 0; r < repeat; r++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            seconds[r] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        Array.Sort(seconds);
        return seconds[repeat / 2];
    }

    private static string Read(string? path)
    {
        if (path is not null) return File.ReadAllText(path);

        // The runtime lives in ROOT/shared/NAME/VERSION, the documentation in ROOT/packs.
        string root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", ".."));
        var text = new StringBuilder();
        foreach (string file in Directory.EnumerateFiles(Path.Combine(root, "packs"), "System.*.xml", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            text.Append(File.ReadAllText(file));
            if (text.Length > MaxBytes) break;
        }

        return text.ToString(0, Math.Min(text.Length, MaxBytes));
    }
}
