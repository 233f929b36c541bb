using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>What a session has once it is loaded.</summary>
internal sealed record LoadedSession(LoadedModel Model, InferenceEngine Engine);

/// <summary>A session's way from built to disposed: loads once, however many ask; disposing wins over everything.</summary>
internal sealed class SessionLifetime : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly SessionServices _services;
    private readonly IModelLoader _loader;
    private readonly LoadProgressReporter _progress;
    private readonly SessionDiagnostics _diagnostics;
    private readonly CancellationTokenSource _cancelLoading = new();
    private Task<LoadedSession>? _loading;
    private Task? _disposing;
    private volatile LoadedSession? _loaded;
    private volatile Exception? _loadError;

    public SessionLifetime(SessionSettings settings, SessionServices services, IModelLoader loader, IProgress<ModelLoadProgress>? progress)
    {
        Settings = settings;
        _services = services;
        _loader = loader;
        _progress = new LoadProgressReporter(progress);
        _diagnostics = new SessionDiagnostics(services);
    }

    public SessionSettings Settings { get; }

    public SessionState State
    {
        get
        {
            lock (_gate)
            {
                if (_disposing is not null) return SessionState.Disposed;
                if (_loadError is not null || _loaded?.Engine.Fault is not null) return SessionState.Faulted;
                return _loaded is null ? SessionState.Loading : SessionState.Ready;
            }
        }
    }

    public LoadedSession Loaded
    {
        get
        {
            ThrowIfDisposed();
            if (_loaded is LoadedSession loaded) return loaded;
            throw _loadError is Exception error
                ? new RocmInferenceException($"Loading the session failed: {error.Message}", error)
                : new InvalidOperationException($"The session is not loaded yet; await {nameof(InferenceSession.WhenReadyAsync)} first.");
        }
    }

    public SessionStatistics Statistics => _loaded?.Engine.Statistics ?? new SessionStatistics();

    public void ThrowIfDisposed()
    {
        lock (_gate) ObjectDisposedException.ThrowIf(_disposing is not null, typeof(InferenceSession));
    }

    /// <summary>Starts loading, unless it was started, and gives its task.</summary>
    public Task<LoadedSession> LoadAsync()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposing is not null, typeof(InferenceSession));
            return _loading ??= Task.Factory.StartNew(
                Load, CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.RunContinuationsAsynchronously, TaskScheduler.Default);
        }
    }

    public void CancelLoading()
    {
        // Outside the lock: cancelling runs callbacks of the loader.
        _cancelLoading.Cancel();
    }

    public ValueTask DisposeAsync()
    {
        lock (_gate) return new ValueTask(_disposing ??= DisposeCoreAsync());
    }

    private LoadedSession Load()
    {
        LoadedModel? model = null;
        try
        {
            using RequestActivity activity = _diagnostics.StartLoad(Settings);
            model = _loader.Load(Settings, _services, _progress, _cancelLoading.Token);
            _cancelLoading.Token.ThrowIfCancellationRequested();

            // Disposing cancels a little later than it begins: who waits must not be told that the session is ready.
            ThrowIfDisposed();
            var engine = new InferenceEngine(model, SchedulerOptionsOf(model), _diagnostics);
            var loaded = new LoadedSession(model, engine);
            _loaded = loaded;
            _progress.Report(ModelLoadPhase.Ready, 1, 1);
            _diagnostics.Loaded(model);
            activity.Succeed();
            return loaded;
        }
        catch (Exception exception)
        {
            if (_loaded is null) model?.Executor.Dispose();
            _diagnostics.LoadFailed(Settings.ModelPath, exception);
            bool isDisposed;
            lock (_gate) isDisposed = _disposing is not null;
            if (isDisposed) throw new ObjectDisposedException(nameof(InferenceSession), "The session was disposed while it was loading.");
            _loadError = exception;
            throw;
        }
    }

    private async Task DisposeCoreAsync()
    {
        // Called under the lock: give way before anything that waits.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await _cancelLoading.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_loading is not null) await ((Task)_loading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_loaded is LoadedSession loaded) await loaded.Engine.StopAsync().ConfigureAwait(false);
        _diagnostics.Dispose();
    }

    private SchedulerOptions SchedulerOptionsOf(LoadedModel model) => new()
    {
        MaxNumBatchedTokens = model.Executor.Facts.MaxNumBatchedTokens,
        MaxNumRequests = model.Executor.Facts.MaxNumRequests,
        MaxModelLen = model.Executor.Facts.MaxModelLen,
        EnableChunkedPrefill = Settings.Options.EnableChunkedPrefill,
        EnablePrefixCaching = Settings.Options.EnablePrefixCaching,
    };
}
