using System.Globalization;

namespace Rocm.Inference.Benchmarks;

/// <summary>Words of a command line: the operand after the command, and options as pairs of name and value.</summary>
internal sealed class CommandArguments(string[] words)
{
    public string Operand(string what) =>
        words.Length > 1 && !words[1].StartsWith('-') ? words[1] : throw new ArgumentException($"Expected {what} after '{words[0]}'.");

    public bool Has(string name) => words.Contains(name);

    public string? Text(string name)
    {
        int at = Array.IndexOf(words, name);
        if (at < 0) return null;
        return at + 1 < words.Length ? words[at + 1] : throw new ArgumentException($"Expected a value after {name}.");
    }

    public int Number(string name, int otherwise) => Text(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    public int[] Numbers(string name, params int[] otherwise) =>
        Text(name) is { } text ? [.. text.Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture))] : otherwise;
}
