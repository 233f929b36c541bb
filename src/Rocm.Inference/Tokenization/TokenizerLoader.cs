using System.Text;
using System.Text.Json;

namespace Rocm.Inference.Tokenization;

/// <summary>Everything a <see cref="Tokenizer"/> is made of.</summary>
internal sealed record TokenizerParts(
    TextEncoder Encoder, TokenDecoder Decoder, string?[] Tokens, Dictionary<string, int> Ids, TokenizerConfig Config);

/// <summary>Reads tokenizer.json and tokenizer_config.json, refusing whatever they ask for that is not done.</summary>
internal static class TokenizerLoader
{
    private const string FileName = "tokenizer.json";
    private const string ConfigName = "tokenizer_config.json";

    public static TokenizerParts Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        var json = ReadFile(path, required: true)!;
        var configPath = Path.Combine(folder, ConfigName);
        return Parse(json, path, ReadFile(configPath, required: false), configPath);
    }

    public static TokenizerParts Parse(byte[] json, string path, byte[]? configJson, string configPath)
    {
        try
        {
            return Build(json, path, configJson, configPath);
        }
        catch (RocmInferenceException e) when (e is not ModelLoadException)
        {
            // A pattern or replacement that runs wild on the file's own tokens.
            throw new ModelLoadException("The tokenizer cannot process its own tokens.", path, null, null, e.Message, e);
        }
    }

    private static TokenizerParts Build(byte[] json, string path, byte[]? configJson, string configPath)
    {
        using var document = ParseJson(json, path);
        var root = new JsonPart(document.RootElement, path, "");
        // Truncation and padding are conveniences for batches; they are ignored.
        root.AllowOnly("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model");

        var modelPart = root.Require("model");
        var file = BpeReader.Read(modelPart);
        var added = AddedTokenReader.Read(root.Get("added_tokens"), file);
        var ids = new Dictionary<string, int>(file.Ids, StringComparer.Ordinal);
        var lastId = file.LastId;
        foreach (var token in added)
        {
            ids[token.Content] = token.Id;
            lastId = Math.Max(lastId, token.Id);
        }
        var tokens = new string?[lastId + 1];
        foreach (var (token, id) in ids) tokens[id] = token;
        var specials = new HashSet<int>();
        foreach (var token in added)
        {
            if (token.Special) specials.Add(token.Id);
        }

        int IdOf(string token) => ids.TryGetValue(token, out var id) ? id : -1;
        var preTokenizer = PreTokenizerReader.Read(root.Get("pre_tokenizer"));
        var model = BpeReader.Build(file, preTokenizer.ByteLevel, modelPart, specials);
        var surround = PostProcessorReader.Read(root.Get("post_processor"), IdOf);
        var config = TokenizerConfig.Empty;
        if (configJson is { } bytes)
        {
            using var configDocument = ParseJson(bytes, configPath);
            config = TokenizerConfig.Read(new JsonPart(configDocument.RootElement, configPath, ""), IdOf);
        }
        var normalizer = NormalizerReader.Read(root.Get("normalizer"));
        var encoder = new TextEncoder(normalizer, preTokenizer, model, added, config.Apply(surround));
        // Tokens that stand for normalized text decode to it, so that the decoder can undo the normalization.
        var decoded = (string?[])tokens.Clone();
        foreach (var token in added) decoded[token.Id] = Encoding.UTF8.GetString(token.Pattern(normalizer));
        var decoder = new TokenDecoder(DecoderReader.Read(root.Get("decoder")), decoded, specials.Contains);
        return new TokenizerParts(encoder, decoder, tokens, ids, config);
    }

    private static byte[]? ReadFile(string path, bool required)
    {
        try
        {
            var info = new FileInfo(path);
            if (!info.Exists)
            {
                if (!required) return null;
                throw new ModelLoadException(
                    "The model folder has no tokenizer; a tokenizer.model or vocab.txt alone cannot be read.", path, null,
                    "a Hugging Face folder with tokenizer.json", "no such file");
            }
            if (info.Length > TokenizerLimits.MaxFileBytes)
            {
                throw new ModelLoadException(
                    "The file is too large.", path, null, $"at most {TokenizerLimits.MaxFileBytes} bytes", $"{info.Length}");
            }
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelLoadException("The file cannot be read.", path, null, "a readable file", e.Message, e);
        }
    }

    private static JsonDocument ParseJson(byte[] bytes, string path)
    {
        ReadOnlyMemory<byte> json = bytes;
        if (json.Span.StartsWith("\uFEFF"u8)) json = json[3..];
        try
        {
            return JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ModelLoadException("The file is not valid JSON.", path, null, "JSON without duplicate names", e.Message, e);
        }
    }
}
