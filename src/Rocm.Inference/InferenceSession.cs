using Rocm.Inference.Engine;

namespace Rocm.Inference;

/// <summary>
/// A loaded model that answers prompts. Safe for any number of concurrent callers: their requests are batched. All computing happens on
/// threads of the session and its device, never on a caller's.
/// </summary>
/// <remarks>
/// A session from dependency injection may not be loaded yet: members that wait load it first, and <see cref="WhenReadyAsync"/> does only
/// that. Disposing ends all running generations with <see cref="ObjectDisposedException"/> and waits for the step in flight.
/// </remarks>
public sealed partial class InferenceSession : IAsyncDisposable, IDisposable
{
    private readonly SessionLifetime _lifetime;

    internal InferenceSession(SessionSettings settings, SessionServices services, IModelLoader loader, IProgress<ModelLoadProgress>? progress) =>
        _lifetime = new SessionLifetime(settings, services, loader, progress);

    /// <summary>Where the session is in its life.</summary>
    public SessionState State => _lifetime.State;

    /// <summary>The options of the session: a copy.</summary>
    public InferenceSessionOptions Options => _lifetime.Settings.Options.Clone();

    /// <summary>Facts about the model.</summary>
    /// <exception cref="InvalidOperationException">Not loaded yet.</exception>
    public ModelInfo Model => _lifetime.Loaded.Model.Info;

    /// <summary>The model's tokenizer.</summary>
    /// <exception cref="InvalidOperationException">Not loaded yet.</exception>
    public Tokenizer Tokenizer => _lifetime.Loaded.Model.Tokenizer;

    /// <summary>The device, and why this one.</summary>
    /// <exception cref="InvalidOperationException">Not loaded yet.</exception>
    public DeviceInfo Device => _lifetime.Loaded.Model.Device;

    /// <summary>The attention backend, and why no other.</summary>
    /// <exception cref="InvalidOperationException">Not loaded yet.</exception>
    public AttentionSelection Attention => _lifetime.Loaded.Model.Attention;

    /// <summary>Numbers of this moment; all zero before the session is loaded.</summary>
    public SessionStatistics Statistics => _lifetime.Statistics;

    /// <summary>Loads a model folder as downloaded from Hugging Face.</summary>
    /// <param name="modelPath">The folder; wins over <see cref="InferenceSessionOptions.ModelPath"/>.</param>
    /// <param name="options">Options, or null for the defaults.</param>
    /// <param name="progress">Told how loading gets on, from the loading thread.</param>
    /// <param name="cancellationToken">Stops loading; nothing stays behind.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">Lists every option, and every environment variable, that
    /// is wrong.</exception>
    /// <exception cref="ModelLoadException">A file of the model is missing, damaged or of an unknown kind.</exception>
    /// <exception cref="DeviceNotAvailableException">A device was asked for that is not there.</exception>
    /// <exception cref="RocmInferenceException">The model does not fit into memory, or the attention backend asked for cannot serve
    /// it.</exception>
    /// <exception cref="OperationCanceledException">Loading was cancelled.</exception>
    public static Task<InferenceSession> LoadAsync(
        string modelPath,
        InferenceSessionOptions? options = null,
        IProgress<ModelLoadProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        InferenceSessionOptions copy = options?.Clone() ?? new InferenceSessionOptions();
        copy.ModelPath = modelPath;
        var builder = new InferenceSessionBuilder(copy);
        if (progress is not null) builder.UseProgress(progress);
        return builder.LoadAsync(cancellationToken);
    }

    /// <summary>Loads the model if nobody has begun yet, and waits until it is loaded.</summary>
    /// <param name="cancellationToken">Ends this wait; loading goes on for the others.</param>
    /// <exception cref="RocmInferenceException">Loading failed, now or before.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public Task WhenReadyAsync(CancellationToken cancellationToken = default) => _lifetime.LoadAsync().WaitAsync(cancellationToken);

    /// <summary>Ends all generations and releases everything; waits for the step in flight. Never throws.</summary>
    public void Dispose() => _lifetime.DisposeAsync().AsTask().GetAwaiter().GetResult();

    /// <summary>Ends all generations and releases everything, after the step in flight. Never throws.</summary>
    public ValueTask DisposeAsync() => _lifetime.DisposeAsync();

    /// <summary>Loads the model; cancelling cancels loading itself.</summary>
    internal async Task LoadAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            static state => ((SessionLifetime)state!).CancelLoading(), _lifetime);
        try
        {
            await _lifetime.LoadAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("Loading was cancelled.", exception, cancellationToken);
        }
    }
}
