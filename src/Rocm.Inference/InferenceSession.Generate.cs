using System.Runtime.CompilerServices;
using System.Text;
using Rocm.Inference.Engine;

namespace Rocm.Inference;

/// <content>Generating.</content>
public sealed partial class InferenceSession
{
    // Below this a prompt is tokenized in microseconds, and a hop to the pool would cost more.
    private const int MaxInlinePromptChars = 512;

    private static readonly GenerationOptions DefaultOptions = new();

    /// <summary>Continues a text. Nothing happens until the result is enumerated; every enumeration is a request of its own.</summary>
    /// <param name="prompt">The text; not passed through a chat template.</param>
    /// <param name="options">How to generate, or null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation with <see cref="OperationCanceledException"/>, wherever it is.</param>
    /// <returns>Pieces as they come; the last one has the finish reason, usage and timings. Leaving the loop early ends the
    /// request.</returns>
    /// <exception cref="ArgumentException">At once: an option is out of range, or the text is not valid UTF-16. On enumeration: the prompt
    /// has no tokens, or an id is not in the vocabulary.</exception>
    /// <exception cref="ContextLengthExceededException">On enumeration, before anything is computed: prompt and answer do not
    /// fit.</exception>
    /// <exception cref="RocmInferenceException">On enumeration: loading or the device failed; the inner exception is the cause.</exception>
    /// <exception cref="ObjectDisposedException">The session is disposed, or was during the generation.</exception>
    public IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        options ??= DefaultOptions;
        GenerationOptionsValidation.ThrowIfNotText(prompt, nameof(prompt));
        GenerationOptionsValidation.ThrowIfInvalid(options);
        _lifetime.ThrowIfDisposed();
        return StreamAsync(prompt, default, options, cancellationToken);
    }

    /// <summary>
    /// Continues a sequence of token ids. Nothing happens until the result is enumerated; every enumeration is a request of its own.
    /// </summary>
    /// <param name="promptIds">The ids, as they are: nothing is added. Must not change until the first piece has come.</param>
    /// <param name="options">How to generate, or null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation with <see cref="OperationCanceledException"/>, wherever it is.</param>
    /// <returns>Pieces as they come; the last one has the finish reason, usage and timings. Leaving the loop early ends the
    /// request.</returns>
    /// <exception cref="ArgumentException">At once: an option is out of range, or there are no ids. On enumeration: an id is not in the
    /// vocabulary.</exception>
    /// <exception cref="ContextLengthExceededException">On enumeration, before anything is computed: prompt and answer do not
    /// fit.</exception>
    /// <exception cref="RocmInferenceException">On enumeration: loading or the device failed; the inner exception is the cause.</exception>
    /// <exception cref="ObjectDisposedException">The session is disposed, or was during the generation.</exception>
    public IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        ReadOnlyMemory<int> promptIds, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (promptIds.IsEmpty) throw new ArgumentException("The prompt has no tokens.", nameof(promptIds));
        options ??= DefaultOptions;
        GenerationOptionsValidation.ThrowIfInvalid(options);
        _lifetime.ThrowIfDisposed();
        return StreamAsync(null, promptIds, options, cancellationToken);
    }

    /// <summary>Continues a text and waits for the whole answer.</summary>
    /// <param name="prompt">The text; not passed through a chat template.</param>
    /// <param name="options">How to generate, or null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation with <see cref="OperationCanceledException"/>, wherever it is.</param>
    /// <exception cref="ArgumentException">An option is out of range, the text is not valid UTF-16, or it has no tokens.</exception>
    /// <exception cref="ContextLengthExceededException">Prompt and answer do not fit.</exception>
    /// <exception cref="RocmInferenceException">Loading or the device failed; the inner exception is the cause.</exception>
    /// <exception cref="ObjectDisposedException">The session is disposed, or was during the generation.</exception>
    public Task<GenerationResult> CompleteAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        CollectAsync(GenerateAsync(prompt, options, cancellationToken));

    /// <summary>Continues a sequence of token ids and waits for the whole answer.</summary>
    /// <param name="promptIds">The ids, as they are: nothing is added.</param>
    /// <param name="options">How to generate, or null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation with <see cref="OperationCanceledException"/>, wherever it is.</param>
    /// <exception cref="ArgumentException">An option is out of range, there are no ids, or one is not in the vocabulary.</exception>
    /// <exception cref="ContextLengthExceededException">Prompt and answer do not fit.</exception>
    /// <exception cref="RocmInferenceException">Loading or the device failed; the inner exception is the cause.</exception>
    /// <exception cref="ObjectDisposedException">The session is disposed, or was during the generation.</exception>
    public Task<GenerationResult> CompleteAsync(
        ReadOnlyMemory<int> promptIds, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        CollectAsync(GenerateAsync(promptIds, options, cancellationToken));

    private static async Task<GenerationResult> CollectAsync(IAsyncEnumerable<GenerationUpdate> updates)
    {
        var text = new StringBuilder();
        var ids = new List<int>();
        var logprobs = new List<TokenLogprobs>();
        GenerationUpdate? last = null;
        await foreach (GenerationUpdate update in updates.ConfigureAwait(false))
        {
            text.Append(update.Text);
            ids.AddRange(update.TokenIds);
            logprobs.AddRange(update.Logprobs);
            last = update;
        }

        return new GenerationResult
        {
            Text = text.ToString(),
            TokenIds = ids,
            Logprobs = logprobs,
            FinishReason = last!.FinishReason!.Value,
            Usage = last.Usage!,
            Timings = last.Timings!,
        };
    }

    private async IAsyncEnumerable<GenerationUpdate> StreamAsync(
        string? text, ReadOnlyMemory<int> ids, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        LoadedSession loaded = await _lifetime.LoadAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        if (text is not null) ids = await EncodeAsync(loaded.Model.Text, text, options, cancellationToken).ConfigureAwait(false);
        EngineRequest request = loaded.Engine.Submit(ids.Span, options);
        using RequestActivity activity = SessionDiagnostics.StartRequest(request.Request);
        CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            static (state, token) => ((EngineRequest)state!).Cancel(new OperationCanceledException(token)), request);
        try
        {
            while (await request.Stream.WaitAsync().ConfigureAwait(false))
            {
                GenerationUpdate update = request.Stream.Take();
                if (update.FinishReason is not null) activity.Finish(update);
                yield return update;
            }
        }
        finally
        {
            // Reached by the end, by an error, and by a reader that leaves early: only then there is something to free.
            await registration.DisposeAsync().ConfigureAwait(false);
            request.Cancel(new OperationCanceledException("The reader has left."));
        }
    }

    private static async ValueTask<ReadOnlyMemory<int>> EncodeAsync(
        ITextCodec codec, string text, GenerationOptions options, CancellationToken cancellationToken)
    {
        int[] ids = text.Length <= MaxInlinePromptChars
            ? Encode()
            : await Task.Run(Encode, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
        return ids;

        int[] Encode() => codec.Encode(text, options.AddSpecialTokens, options.AllowSpecialTokensInPrompt);
    }
}
