using Microsoft.Extensions.Logging;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>One session from load to disposal while HIP calls fail as scripted, and what came of it.</summary>
internal sealed class FaultRun
{
    private const int Streams = 2;

    private readonly List<Exception> _errors = [];
    private IReadOnlyDictionary<string, long> _calls = new Dictionary<string, long>();

    private FaultRun(string script) => Script = script;

    public string Script { get; }

    /// <summary>What loading or the first stream ended with; null when all went well.</summary>
    public Exception? Error => _errors.Count > 0 ? _errors[0] : null;

    /// <summary>The ids of all streams.</summary>
    public int[][] Tokens { get; private set; } = [];

    /// <summary>Native objects that are alive after everything was disposed of.</summary>
    public string Ledger { get; private set; } = "";

    /// <summary>Steps that were to be recorded and could not be.</summary>
    public int NumRefusedRecordings { get; private set; }

    private SessionState State { get; set; }

    private bool IsLoaded { get; set; }

    private int NumFaultsLogged { get; set; }

    /// <param name="target">The GPU.</param>
    /// <param name="script">What fails, see the emulator's option "fail"; may be empty.</param>
    /// <param name="counted">HIP functions whose calls are counted.</param>
    public static async Task<FaultRun> StartAsync(string target, string script, params string[] counted)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        EmulatorOptions.Reset();
        var run = new FaultRun(script);
        HipGpu gpu = EmulatedGpu.Create(target);
        EmulatedGpu.Instance.Set("fail", script);
        await run.UseAsync(gpu);
        gpu.Dispose();
        run.Ledger = EmulatedGpu.Instance.Ledger.ToString();
        run._calls = counted.Distinct().ToDictionary(function => function, EmulatedGpu.Instance.Calls);
        return run;
    }

    /// <summary>Calls of a HIP function in this run.</summary>
    public long Calls(string function) => _calls[function];

    /// <summary>Checks that the failure of a call came through as it should.</summary>
    public void AssertEndedBy(string call)
    {
        foreach (Exception error in _errors) Assert.True(error is RocmInferenceException, $"{Script}: {error}");
        HipException? cause = Chain(Error).OfType<HipException>().LastOrDefault();
        Assert.True(cause?.Call == call, $"{Script}: {Error}");
        if (!IsLoaded) return;
        Assert.True(State == SessionState.Faulted, $"{Script}: the session is {State}");
        Assert.True(_errors.Count == Streams, $"{Script}: {_errors.Count} of {Streams} streams failed");
        Assert.All(_errors, error => Assert.Same(Error!.InnerException, error.InnerException));
        Assert.True(NumFaultsLogged == 1, $"{Script}: the fault was logged {NumFaultsLogged} times");
    }

    private async Task UseAsync(HipGpu gpu)
    {
        using var log = new FaultCounter();
        InferenceSessionOptions options = HipSessions.Options(HipSessions.TinyLlama, AttentionBackendNames.TritonAttn);
        InferenceSession session;
        try
        {
            session = await new InferenceSessionBuilder(options).UseDevice(gpu).UseLoggerFactory(log).LoadAsync();
        }
        catch (Exception exception)
        {
            _errors.Add(exception);
            return;
        }

        IsLoaded = true;
        await using (session)
        {
            Task<GenerationResult>[] streams =
                [.. Enumerable.Range(0, Streams).Select(i => session.CompleteAsync((int[])[4094, 448 + i, 358], HipSessions.Greedy(4)))];
            var tokens = new List<int[]>();
            foreach (Task<GenerationResult> stream in streams)
            {
                try
                {
                    tokens.Add([.. (await stream).TokenIds]);
                }
                catch (Exception exception)
                {
                    _errors.Add(exception);
                }
            }

            Tokens = [.. tokens];
            State = session.State;
        }

        NumFaultsLogged = log.NumFaults;
        NumRefusedRecordings = log.NumWarnings;
    }

    private static IEnumerable<Exception> Chain(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException) yield return exception;
    }

    /// <summary>Counts what the engine logs as its end, and its warnings.</summary>
    private sealed class FaultCounter : ILoggerFactory, ILogger
    {
        private int _faults;
        private int _warnings;

        public int NumFaults => Volatile.Read(ref _faults);

        public int NumWarnings => Volatile.Read(ref _warnings);

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Critical) Interlocked.Increment(ref _faults);
            if (logLevel == LogLevel.Warning) Interlocked.Increment(ref _warnings);
        }

        public void Dispose()
        {
        }
    }
}
