using System.Text.Json;

namespace Rocm.Inference.Tests.Tokenization;

/// <summary>One of the recorded tokenizers: its folder and what Hugging Face's tokenizers made of the texts.</summary>
internal sealed class TokenizerFixture
{
    private static readonly JsonSerializerOptions s_options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private TokenizerFixture(string folder, ExpectedFile expected)
    {
        Folder = folder;
        Expected = expected;
    }

    public static string Root { get; } = Path.Combine(AppContext.BaseDirectory, "Tokenization", "fixtures");

    public static IEnumerable<string> Names => Directory.EnumerateDirectories(Root).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);

    public string Folder { get; }

    public ExpectedFile Expected { get; }

    public byte[] Json => File.ReadAllBytes(Path.Combine(Folder, "tokenizer.json"));

    public static TokenizerFixture Open(string name)
    {
        var folder = Path.Combine(Root, name);
        var json = File.ReadAllText(Path.Combine(folder, "expected.json"));
        return new TokenizerFixture(folder, JsonSerializer.Deserialize<ExpectedFile>(json, s_options)!);
    }

    public Tokenizer Load() => Tokenizer.Load(Folder);

    internal sealed record ExpectedFile(EncodeCase[] Cases, DecodeCase[] DecodeCases);

    internal sealed record EncodeCase(string Text, int[] Ids, int[] IdsNoSpecial, int[] IdsPlain, string Decoded, string DecodedKeepSpecial);

    internal sealed record DecodeCase(int[] Ids, string Text, string TextKeepSpecial);
}
