using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Rocm.Inference.Tokenization;

namespace Rocm.Inference;

/// <summary>
/// Turns text into token ids and back, as the <c>tokenizer.json</c> of a Hugging Face model folder says (BPE vocabularies, byte-level or
/// SentencePiece-like). Immutable and safe for any number of threads.
/// </summary>
/// <remarks>
/// Ids are those of Hugging Face's <c>tokenizers</c>, with one exception by default: special tokens that a text spells out, such as
/// <c>&lt;|im_end|&gt;</c>, are not recognised, so that text of a stranger cannot act as control tokens. The <c>truncation</c> and
/// <c>padding</c> sections are ignored. Which special tokens surround a text is what the post-processor says; <c>add_bos_token</c> and
/// <c>add_eos_token</c> of <c>tokenizer_config.json</c> count for the tokenizer classes that rebuild it from them (Llama, CodeLlama, Gemma,
/// Cohere) and are ignored otherwise, as Hugging Face does. Decoding differs in one place: where a run of byte tokens is not valid UTF-8,
/// Hugging Face turns all of the run into U+FFFD, which a stream could do only by holding it all back; here its whole characters are kept.
/// </remarks>
public sealed class Tokenizer
{
    private readonly TextEncoder _encoder;
    private readonly TokenDecoder _decoder;
    private readonly string?[] _tokens;
    private readonly Dictionary<string, int> _ids;

    internal Tokenizer(TokenizerParts parts)
    {
        _encoder = parts.Encoder;
        _decoder = parts.Decoder;
        _tokens = parts.Tokens;
        _ids = parts.Ids;
        BosTokenId = parts.Config.BosTokenId;
        PadTokenId = parts.Config.PadTokenId;
        EosTokenIds = parts.Config.EosTokenId is { } eos ? [eos] : [];
    }

    /// <summary>One more than the largest id. A model's vocabulary may be padded to more.</summary>
    public int VocabSize => _tokens.Length;

    /// <summary>The token that begins a text, as <c>tokenizer_config.json</c> names it, or null.</summary>
    public int? BosTokenId { get; }

    /// <summary>The tokens that end a text, as <c>tokenizer_config.json</c> names them; <c>generation_config.json</c> may name more.</summary>
    public IReadOnlyList<int> EosTokenIds { get; }

    /// <summary>The token that fills up batches, as <c>tokenizer_config.json</c> names it, or null.</summary>
    public int? PadTokenId { get; }

    /// <summary>Loads the tokenizer of a model folder.</summary>
    /// <param name="modelFolder">A folder with <c>tokenizer.json</c> and, usually, <c>tokenizer_config.json</c>.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ModelLoadException">A file is missing, damaged, inconsistent, or asks for what is not supported.</exception>
    public static Tokenizer Load(string modelFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        return new Tokenizer(TokenizerLoader.Load(modelFolder));
    }

    /// <summary>Loads the tokenizer of a model folder on the thread pool.</summary>
    /// <param name="modelFolder">A folder with <c>tokenizer.json</c> and, usually, <c>tokenizer_config.json</c>.</param>
    /// <param name="cancellationToken">Stops waiting; what has been read is dropped.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ModelLoadException">A file is missing, damaged, inconsistent, or asks for what is not supported.</exception>
    public static Task<Tokenizer> LoadAsync(string modelFolder, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        return Task.Run(() => Load(modelFolder), cancellationToken).WaitAsync(cancellationToken);
    }

    /// <summary>Turns text into ids.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Add the special tokens that the model expects around a text, such as the beginning of text.</param>
    /// <param name="allowSpecialTokensInText">
    /// Recognise special tokens that the text spells out. Set it only for text whose author may control the model, such as a rendered chat
    /// template; by default they are encoded as the plain text they look like. Added tokens that are not special are always recognised.
    /// </param>
    /// <returns>The ids.</returns>
    /// <exception cref="ArgumentException">The text has an unpaired surrogate; the message says where.</exception>
    /// <exception cref="RocmInferenceException">A pattern of the tokenizer needs far too much work for this text.</exception>
    public int[] Encode(string text, bool addSpecialTokens = true, bool allowSpecialTokensInText = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var scratch = _encoder.Encode(text, addSpecialTokens, allowSpecialTokensInText);
        var ids = scratch.Ids.Ids.ToArray();
        _encoder.Return(scratch);
        return ids;
    }

    /// <summary>Turns text into ids and appends them to a buffer.</summary>
    /// <param name="text">The text.</param>
    /// <param name="ids">Where the ids go.</param>
    /// <param name="addSpecialTokens">Add the special tokens that the model expects around a text.</param>
    /// <param name="allowSpecialTokensInText">Recognise special tokens that the text spells out.</param>
    /// <exception cref="ArgumentException">The text has an unpaired surrogate; the message says where.</exception>
    /// <exception cref="RocmInferenceException">A pattern of the tokenizer needs far too much work for this text.</exception>
    public void Encode(ReadOnlySpan<char> text, IBufferWriter<int> ids, bool addSpecialTokens = true, bool allowSpecialTokensInText = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var scratch = _encoder.Encode(text, addSpecialTokens, allowSpecialTokensInText);
        ids.Write(scratch.Ids.Ids);
        _encoder.Return(scratch);
    }

    /// <summary>Counts the ids of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Count the special tokens that the model expects around a text.</param>
    /// <param name="allowSpecialTokensInText">Recognise special tokens that the text spells out.</param>
    /// <returns>The length of what <see cref="Encode(string, bool, bool)"/> returns.</returns>
    /// <exception cref="ArgumentException">The text has an unpaired surrogate; the message says where.</exception>
    /// <exception cref="RocmInferenceException">A pattern of the tokenizer needs far too much work for this text.</exception>
    public int CountTokens(ReadOnlySpan<char> text, bool addSpecialTokens = true, bool allowSpecialTokensInText = false)
    {
        var scratch = _encoder.Encode(text, addSpecialTokens, allowSpecialTokensInText);
        var count = scratch.Ids.Count;
        _encoder.Return(scratch);
        return count;
    }

    /// <summary>Turns ids into text. Bytes that are no character become U+FFFD.</summary>
    /// <param name="ids">The ids. Ids without a token, as padded vocabularies have, add nothing.</param>
    /// <param name="skipSpecialTokens">Leave special tokens out.</param>
    /// <returns>The text.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var detokenizer = CreateDetokenizer(skipSpecialTokens);
        var text = new ArrayBufferWriter<char>(Math.Max(16, ids.Length * 4));
        foreach (var id in ids) detokenizer.Append(id, text);
        detokenizer.Flush(text);
        return new string(text.WrittenSpan);
    }

    /// <summary>Begins to turn ids into text one by one.</summary>
    /// <param name="skipSpecialTokens">Leave special tokens out.</param>
    /// <returns>A detokenizer of its own for the caller.</returns>
    public IncrementalDetokenizer CreateDetokenizer(bool skipSpecialTokens = true) => new(_decoder, skipSpecialTokens);

    /// <summary>Finds the id of a token as the vocabulary writes it.</summary>
    /// <param name="token">The token, in the vocabulary's own spelling.</param>
    /// <param name="id">Its id.</param>
    /// <returns>Whether there is such a token.</returns>
    public bool TryGetId(string token, out int id)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _ids.TryGetValue(token, out id);
    }

    /// <summary>The token of an id as the vocabulary writes it, which is not always the text it stands for.</summary>
    /// <param name="id">The id.</param>
    /// <returns>The token.</returns>
    /// <exception cref="ArgumentOutOfRangeException">No token has this id.</exception>
    public string GetToken(int id) => TryGetToken(id, out var token)
        ? token
        : throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary of {VocabSize} ids has no token with this id.");

    /// <summary>Finds the token of an id as the vocabulary writes it.</summary>
    /// <param name="id">The id.</param>
    /// <param name="token">The token.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGetToken(int id, [NotNullWhen(true)] out string? token)
    {
        token = (uint)id < (uint)_tokens.Length ? _tokens[id] : null;
        return token is not null;
    }

    /// <summary>Whether an id is a special token, which decoding leaves out unless told otherwise.</summary>
    /// <param name="id">The id.</param>
    /// <returns>True for special tokens; false for all others and for ids without a token.</returns>
    public bool IsSpecial(int id) => _decoder.IsSpecial(id);
}
