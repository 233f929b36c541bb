using System.Text.Json;

namespace Rocm.Inference.Tokenization;

/// <summary>
/// What tokenizer_config.json adds to tokenizer.json: which tokens begin and end a text, and for the tokenizer classes that rebuild their
/// post-processor from them, whether they are added. Everything else in that file is ignored.
/// </summary>
internal sealed record TokenizerConfig(int? BosTokenId, int? EosTokenId, int? PadTokenId, bool? AddBos, bool? AddEos)
{
    public static TokenizerConfig Empty { get; } = new(null, null, null, null, null);

    public static TokenizerConfig Read(JsonPart root, Func<string, int> idOf)
    {
        root.Expect(JsonValueKind.Object, "an object");
        // Only these classes replace the template of tokenizer.json by the two switches; for all others the template alone counts.
        var type = root.Get("tokenizer_class");
        var rebuilds = !type.IsNull
            && type.Text() is "LlamaTokenizer" or "LlamaTokenizerFast" or "CodeLlamaTokenizer" or "CodeLlamaTokenizerFast"
                or "GemmaTokenizer" or "GemmaTokenizerFast" or "CohereTokenizer" or "CohereTokenizerFast";
        var addBos = rebuilds ? Flag(root.Get("add_bos_token")) : null;
        var addEos = rebuilds ? Flag(root.Get("add_eos_token")) : null;
        // A token that tokenizer.json lacks has no weights. Nothing needs a padding token, nor a beginning that is not added; but a model
        // without its end would not stop.
        return new TokenizerConfig(
            Token(root.Get("bos_token"), idOf, required: addBos == true), Token(root.Get("eos_token"), idOf, required: true),
            Token(root.Get("pad_token"), idOf, required: false), addBos, addEos);
    }

    /// <summary>The special tokens around a text: those of tokenizer.json unless the switches say otherwise.</summary>
    public Surround Apply(Surround template)
    {
        var before = AddBos switch
        {
            true when BosTokenId is { } bos => [bos],
            false => [],
            _ => template.Before,
        };
        var after = AddEos switch
        {
            true when EosTokenId is { } eos => [eos],
            false => [],
            _ => template.After,
        };
        return new Surround(before, after);
    }

    private static bool? Flag(JsonPart part) => part.IsNull ? null : part.Flag();

    private static int? Token(JsonPart part, Func<string, int> idOf, bool required)
    {
        if (part.IsNull) return null;
        var content = part.Element.ValueKind == JsonValueKind.Object ? part.Require("content") : part;
        var token = content.Text();
        var id = token.Length == 0 ? -1 : idOf(token);
        if (id >= 0) return id;
        return required && token.Length > 0 ? throw content.Refuse("The token is not in tokenizer.json.", "a token of the vocabulary") : null;
    }
}
