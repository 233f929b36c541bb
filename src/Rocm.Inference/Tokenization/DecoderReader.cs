using System.Text;
using Rocm.Inference.Tokenization.Patterns;

namespace Rocm.Inference.Tokenization;

/// <summary>
/// Reads the "decoder" of tokenizer.json. The order of its steps is bounded to what can be streamed: changes to single tokens, then
/// ByteFallback or ByteLevel, then Fuse, then a Strip of the start.
/// </summary>
internal sealed class DecoderReader
{
    private const string Known = "Sequence, Replace, Strip, Metaspace, ByteFallback, ByteLevel, Fuse";

    private readonly List<TokenRewrite> _rewrites = [];
    private DecodeMode _mode;
    private bool _fused;
    private char _stripFirst;
    private int _stripCount;

    public static DecoderPlan Read(JsonPart part)
    {
        var reader = new DecoderReader();
        if (!part.IsNull) reader.Add(part, 0);
        return new DecoderPlan(reader._mode, [.. reader._rewrites], reader._stripFirst, reader._stripCount, part.IsNull);
    }

    private void Add(JsonPart part, int depth)
    {
        if (depth > PartReader.MaxDepth) throw part.Refuse("Decoders are nested too deep.", $"at most {PartReader.MaxDepth} levels");
        var type = part.Require("type").Text();
        switch (type)
        {
            case "Sequence":
                part.AllowOnly("type", "decoders");
                foreach (var item in part.Require("decoders").Items()) Add(item, depth + 1);
                break;
            case "Replace":
                part.AllowOnly("type", "pattern", "content");
                BeforeBytes(part, type);
                _rewrites.Add(new ReplaceRewrite(
                    PartReader.Pattern(part.Require("pattern")), PartReader.Content(part.Require("content"))));
                break;
            case "Strip":
                AddStrip(part);
                break;
            case "Metaspace":
                part.AllowOnly("type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep");
                BeforeBytes(part, type);
                var (replacement, scheme) = PreTokenizerReader.Metaspace(part);
                _rewrites.Add(new MetaspaceRewrite(Encoding.UTF8.GetString(replacement), scheme != PrependScheme.Never));
                break;
            case "ByteFallback":
                part.AllowOnly("type");
                BeforeBytes(part, type);
                _mode = DecodeMode.ByteFallback;
                break;
            case "ByteLevel":
                part.AllowOnly("type", "add_prefix_space", "trim_offsets", "use_regex");
                BeforeBytes(part, type);
                _mode = DecodeMode.Bytes;
                break;
            case "Fuse":
                part.AllowOnly("type");
                _fused = true;
                break;
            default:
                throw PartReader.UnknownType(part, "decoder", Known);
        }
    }

    private void BeforeBytes(JsonPart part, string type)
    {
        if (_fused || _mode != DecodeMode.Text)
        {
            throw part.Refuse("Decoder steps come in an order that is not supported.", "Fuse or a Strip of the start at most", type);
        }
    }

    private void AddStrip(JsonPart part)
    {
        part.AllowOnly("type", "content", "start", "stop");
        var content = part.Require("content");
        var text = content.Text();
        if (text.Length != 1) throw content.Refuse("The stripped text is not one character.", "one character");
        var start = part.Require("start").Integer(0, 1024);
        var stop = part.Require("stop").Integer(0, 1024);
        if (!_fused && _mode == DecodeMode.Text)
        {
            _rewrites.Add(new StripRewrite(text[0], start, stop));
            return;
        }
        if (!_fused || _mode == DecodeMode.Bytes || stop > 0 || _stripCount > 0)
        {
            throw part.Refuse("The strip cannot be done while text streams.", "one Strip of the start (stop 0) behind Fuse", "another Strip");
        }
        (_stripFirst, _stripCount) = (text[0], start);
    }

    private sealed class ReplaceRewrite(TextPattern pattern, byte[] content) : TokenRewrite
    {
        private readonly ReplaceNormalizer _replace = new(pattern, content);

        public override string Apply(string token, bool first)
        {
            var output = new ByteBuilder();
            var steps = TokenizerLimits.PatternSteps;
            return _replace.Apply(Encoding.UTF8.GetBytes(token), output, ref steps) ? Encoding.UTF8.GetString(output.Span) : token;
        }
    }

    private sealed class StripRewrite(char content, int start, int stop) : TokenRewrite
    {
        public override string Apply(string token, bool first)
        {
            var from = 0;
            while (from < start && from < token.Length && token[from] == content) from++;
            var to = token.Length;
            while (token.Length - to < stop && to > from && token[to - 1] == content) to--;
            return token[from..to];
        }
    }

    private sealed class MetaspaceRewrite(string replacement, bool prepended) : TokenRewrite
    {
        public override bool DependsOnPosition => prepended;

        // The space that was put before the text goes again; the reference implementation takes all of the first token's.
        public override string Apply(string token, bool first) =>
            token.Replace(replacement, first && prepended ? "" : " ", StringComparison.Ordinal);
    }
}
