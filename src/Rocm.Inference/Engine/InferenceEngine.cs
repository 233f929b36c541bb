using System.Threading.Channels;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>
/// The callers' side of the engine: takes requests from any thread and hands them to the one thread that owns executor, scheduler and
/// cache.
/// </summary>
internal sealed class InferenceEngine
{
    private readonly Channel<EngineCommand> _commands = Channel.CreateUnbounded<EngineCommand>(
        new UnboundedChannelOptions { SingleReader = true, AllowSynchronousContinuations = false });

    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly LoadedModel _model;
    private readonly EngineLoop _loop;
    private readonly ModelFacts _facts;
    private long _nextRequest;

    public InferenceEngine(LoadedModel model, SchedulerOptions options, SessionDiagnostics diagnostics)
    {
        _model = model;
        _loop = new EngineLoop(model.Executor, options, _commands.Reader, diagnostics);

        // What can never fit the cache is refused like what is longer than the model allows: at once, with the numbers.
        _facts = model.Executor.Facts with { MaxModelLen = _loop.MaxTokensPerRequest };
        var thread = new Thread(Run) { IsBackground = true, Name = "Rocm.Inference engine" };
        thread.Start();
    }

    /// <summary>Longest sequence that a request may have, prompt and answer together.</summary>
    public int MaxModelLen => _facts.MaxModelLen;

    /// <summary>What broke the engine, or null.</summary>
    public Exception? Fault => _loop.Fault;

    public SessionStatistics Statistics => _loop.Counters.Read();

    /// <summary>Queues a request. The prompt is copied.</summary>
    /// <exception cref="ArgumentException">The prompt is empty, or an id is not in the vocabulary.</exception>
    /// <exception cref="ContextLengthExceededException">Prompt and answer do not fit.</exception>
    /// <exception cref="RocmInferenceException">The engine has faulted.</exception>
    /// <exception cref="ObjectDisposedException">The engine has stopped.</exception>
    public EngineRequest Submit(ReadOnlySpan<int> prompt, GenerationOptions options)
    {
        SamplingParameters parameters = SamplingParameters.Create(options, _model.Defaults, prompt, _facts);
        var request = new Request($"{Interlocked.Increment(ref _nextRequest)}", prompt, parameters.MaxNewTokens) { CacheSalt = options.CacheSalt };
        var result = new EngineRequest(this, request, parameters, _model.Text.CreateDetokenizer(prompt));
        if (!_commands.Writer.TryWrite(new EngineCommand(EngineCommandKind.Add, result))) throw _loop.EndError();
        return result;
    }

    /// <summary>Takes a request out of the engine, within a step. After the stop there is nothing to take out.</summary>
    public void Abort(EngineRequest request) => _commands.Writer.TryWrite(new EngineCommand(EngineCommandKind.Abort, request));

    /// <summary>Ends all requests after the step in flight and releases the executor. Never throws.</summary>
    public Task StopAsync()
    {
        _loop.RequestStop();
        _commands.Writer.TryComplete();
        return _stopped.Task;
    }

    private void Run()
    {
        _loop.Run(_commands.Writer);
        _stopped.SetResult();
    }
}
