using System.Text;

namespace Rocm.Inference.Tokenization;

/// <summary>How the bytes of decoded tokens become text.</summary>
internal enum DecodeMode
{
    /// <summary>Every token is text of its own.</summary>
    Text,

    /// <summary>All tokens together are UTF-8, which may be broken.</summary>
    Bytes,

    /// <summary>Tokens are text, but for byte tokens such as &lt;0x0A&gt;, whose runs are UTF-8.</summary>
    ByteFallback,
}

/// <summary>What the decoder part of a tokenizer asks for.</summary>
/// <param name="Mode">How bytes become text.</param>
/// <param name="Rewrites">What is done to each token's text.</param>
/// <param name="StripFirst">The character that is taken off the start of the text.</param>
/// <param name="StripCount">How often at most.</param>
/// <param name="JoinWithSpaces">Tokens are separated by spaces, which is what having no decoder means.</param>
internal sealed record DecoderPlan(DecodeMode Mode, TokenRewrite[] Rewrites, char StripFirst, int StripCount, bool JoinWithSpaces);

/// <summary>Changes the text of one token when decoding. Immutable.</summary>
internal abstract class TokenRewrite
{
    /// <summary>The first token of a text is treated differently.</summary>
    public virtual bool DependsOnPosition => false;

    public abstract string Apply(string token, bool first);
}

/// <summary>Ids to bytes, from tables made at load. Immutable.</summary>
internal sealed class TokenDecoder
{
    private const byte Present = 1;
    private const byte Special = 2;
    private const byte ByteToken = 4;

    private readonly byte[] _flags;
    private readonly TokenBytes _bytes;
    private readonly TokenBytes _firstBytes;

    /// <param name="plan">What to do.</param>
    /// <param name="tokens">Token texts by id; null where there is none.</param>
    /// <param name="isSpecial">Whether an id is a special token.</param>
    public TokenDecoder(DecoderPlan plan, string?[] tokens, Func<int, bool> isSpecial)
    {
        Plan = plan;
        _flags = new byte[tokens.Length];
        for (var id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is null) continue;
            _flags[id] = (byte)(isSpecial(id) ? Present | Special : Present);
        }
        _bytes = Build(tokens, first: false);
        _firstBytes = Array.Exists(plan.Rewrites, rewrite => rewrite.DependsOnPosition) ? Build(tokens, first: true) : _bytes;
    }

    public DecoderPlan Plan { get; }

    public bool IsSpecial(int id) => (uint)id < (uint)_flags.Length && (_flags[id] & Special) != 0;

    /// <summary>Whether an id adds to a text: it has a token, and not one that is skipped.</summary>
    public bool Counts(int id, bool skipSpecialTokens) =>
        (uint)id < (uint)_flags.Length && (_flags[id] & Present) != 0 && !(skipSpecialTokens && (_flags[id] & Special) != 0);

    /// <summary>The id is a byte token and its bytes are a single raw byte.</summary>
    public bool IsByte(int id) => (_flags[id] & ByteToken) != 0;

    public ReadOnlySpan<byte> Bytes(int id, bool first) => (first ? _firstBytes : _bytes).Get(id);

    private TokenBytes Build(string?[] tokens, bool first)
    {
        var all = new ByteBuilder();
        var ends = new int[tokens.Length];
        for (var id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is { } token) Append(id, token, first, all);
            ends[id] = all.Length;
        }
        return new TokenBytes(all.Span.ToArray(), ends);
    }

    private void Append(int id, string token, bool first, ByteBuilder output)
    {
        foreach (var rewrite in Plan.Rewrites) token = rewrite.Apply(token, first);
        if (Plan.Mode == DecodeMode.Bytes && ByteAlphabet.TryUnmap(token) is { } bytes)
        {
            output.Append(bytes);
        }
        else if (Plan.Mode == DecodeMode.ByteFallback && ByteTokens.Parse(token) is >= 0 and var value)
        {
            _flags[id] |= ByteToken;
            output.Append((byte)value);
        }
        else
        {
            output.Advance(Encoding.UTF8.GetBytes(token, output.Reserve(Encoding.UTF8.GetByteCount(token))));
        }
    }

    private sealed class TokenBytes(byte[] all, int[] ends)
    {
        public ReadOnlySpan<byte> Get(int id)
        {
            var start = id == 0 ? 0 : ends[id - 1];
            return all.AsSpan(start, ends[id] - start);
        }
    }
}
