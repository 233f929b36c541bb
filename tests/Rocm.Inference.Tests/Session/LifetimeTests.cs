using System.Diagnostics;
using System.Diagnostics.Metrics;
using Rocm.Inference.Diagnostics;
using Rocm.Inference.Tests.Engine;
using Xunit;

namespace Rocm.Inference.Tests.Session;

public sealed class LifetimeTests
{
    [Fact]
    public async Task A_built_session_loads_at_its_first_call_and_only_once()
    {
        var loader = new FakeModelLoader(new FakeModelOptions());
        await using InferenceSession session = FakeModelLoader.Builder(loader).Build();
        Assert.Equal(SessionState.Loading, session.State);
        Assert.Throws<InvalidOperationException>(() => session.Model);
        Assert.Equal(0, loader.NumLoads);
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => session.CompleteAsync("abc", new GenerationOptions { MaxNewTokens = 2 })));
        Assert.Equal(1, loader.NumLoads);
        Assert.Equal(SessionState.Ready, session.State);
        Assert.Equal("fake", session.Model.Name);
    }

    [Fact]
    public async Task Cancelling_a_load_stops_the_loader_and_leaves_nothing()
    {
        using var cancel = new CancellationTokenSource();
        using var started = new ManualResetEventSlim();
        var options = new FakeModelOptions
        {
            OnLoad = (_, token) =>
            {
                started.Set();
                token.WaitHandle.WaitOne();
                token.ThrowIfCancellationRequested();
            },
        };
        var loader = new FakeModelLoader(options);
        Task<InferenceSession> loading = FakeModelLoader.Builder(loader).LoadAsync(cancel.Token);
        started.Wait();
        await cancel.CancelAsync();
        var exception = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loading);
        Assert.Equal(cancel.Token, exception.CancellationToken);
        Assert.Null(loader.Executor);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => FakeModelLoader.Builder(loader).LoadAsync(new CancellationToken(true)));
    }

    [Fact]
    public async Task A_caller_that_gives_up_waiting_does_not_stop_the_load_of_others()
    {
        using var gate = new ManualResetEventSlim();
        var loader = new FakeModelLoader(new FakeModelOptions { OnLoad = (_, token) => gate.Wait(token) });
        await using InferenceSession session = FakeModelLoader.Builder(loader).Build();
        using var cancel = new CancellationTokenSource();
        Task<GenerationResult> impatient = session.CompleteAsync("abc", null, cancel.Token);
        Task<GenerationResult> patient = session.CompleteAsync("abc", new GenerationOptions { MaxNewTokens = 3 });
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        gate.Set();
        Assert.Equal(3, (await patient).Usage.GeneratedTokens);
    }

    [Fact]
    public async Task A_load_that_fails_faults_the_session_and_every_call_tells_the_cause()
    {
        var cause = new ModelLoadException("broken");
        var loader = new FakeModelLoader(new FakeModelOptions { OnLoad = (_, _) => throw cause });
        await using InferenceSession session = FakeModelLoader.Builder(loader).Build();
        Assert.Same(cause, await Assert.ThrowsAsync<ModelLoadException>(() => session.CompleteAsync("abc")));
        Assert.Same(cause, await Assert.ThrowsAsync<ModelLoadException>(() => session.WhenReadyAsync()));
        Assert.Equal(SessionState.Faulted, session.State);
        Assert.Same(cause, Assert.Throws<RocmInferenceException>(() => session.Model).InnerException);
        Assert.Equal(1, loader.NumLoads);
    }

    [Fact]
    public async Task Disposing_while_loading_cancels_the_load_and_tells_who_waits()
    {
        using var started = new ManualResetEventSlim();
        var loader = new FakeModelLoader(new FakeModelOptions
        {
            OnLoad = (_, token) =>
            {
                started.Set();
                token.WaitHandle.WaitOne();
            },
        });
        InferenceSession session = FakeModelLoader.Builder(loader).Build();
        Task<GenerationResult> waiting = session.CompleteAsync("abc");
        started.Wait();
        session.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting);
        Assert.Equal(SessionState.Disposed, session.State);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => session.WhenReadyAsync());
    }

    [Fact]
    public async Task Progress_never_goes_back_is_throttled_and_ends_with_ready()
    {
        var reports = new List<ModelLoadProgress>();
        var loader = new FakeModelLoader(new FakeModelOptions
        {
            OnLoad = (progress, _) =>
            {
                for (int i = 0; i <= 10_000; i++) progress.Report(ModelLoadPhase.Weights, i, 10_000);
                progress.Report(ModelLoadPhase.Weights, 5, 10_000);
                progress.Report(ModelLoadPhase.Tokenizer, 0, 1);
                progress.Report(ModelLoadPhase.Engine, 0, 1);
            },
        });
        await using InferenceSession session = await FakeModelLoader.Builder(loader).UseProgress(new Recorder(reports)).LoadAsync();
        Assert.InRange(reports.Count, 4, 50);
        Assert.Equal(new ModelLoadProgress(ModelLoadPhase.Ready, 1, 1), reports[^1]);
        Assert.Contains(new ModelLoadProgress(ModelLoadPhase.Weights, 10_000, 10_000), reports);
        Assert.Equal(reports.OrderBy(report => report.Phase).ThenBy(report => report.Done), reports);
    }

    [Fact]
    public async Task A_hundred_loads_and_disposals_leave_no_thread_and_no_executor_behind()
    {
        int disposed = 0;
        var options = new FakeModelOptions { OnDispose = () => Interlocked.Increment(ref disposed) };
        int threadsBefore = EngineThreads();
        for (int i = 0; i < 100; i++)
        {
            InferenceSession session = (await FakeModelLoader.LoadAsync(options)).Session;
            await session.CompleteAsync("abc", new GenerationOptions { MaxNewTokens = 2 });
            if (i % 2 == 0) await session.DisposeAsync();
            else session.Dispose();
        }

        Assert.Equal(100, disposed);
        await EngineTests.WaitUntil(() => EngineThreads() < threadsBefore + 40);

        // Threads of tests that run beside this one come and go; a leak would leave a hundred.
        static int EngineThreads()
        {
            using Process process = Process.GetCurrentProcess();
            return process.Threads.Count;
        }
    }

    [Fact]
    public async Task Metrics_and_traces_tell_what_happened()
    {
        using var meters = new OwnMeters();
        var measured = new Dictionary<string, double>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => { if (instrument.Meter == meters.Meter) l.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<int>((i, value, _, _) => Add(i, value));
        listener.SetMeasurementEventCallback<long>((i, value, _, _) => Add(i, value));
        listener.SetMeasurementEventCallback<double>((i, value, _, _) => Add(i, value));
        listener.Start();
        var finished = new List<Activity>();
        using var activities = new ActivityListener
        {
            ShouldListenTo = source => source.Name == InferenceActivities.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity => { lock (finished) finished.Add(activity); },
        };
        ActivitySource.AddActivityListener(activities);
        using var parent = new Activity("test").Start();
        InferenceSession session = (await FakeModelLoader.LoadAsync(meters: meters)).Session;
        await session.CompleteAsync("abc", new GenerationOptions { MaxNewTokens = 7, Temperature = 0 });
        await session.DisposeAsync();
        lock (measured)
        {
            Assert.Equal(7, measured["rocm.inference.tokens.generated"]);
            Assert.Equal(3, measured["rocm.inference.tokens.prompt"]);
            Assert.Equal(1, measured["rocm.inference.requests.finished"]);
            Assert.Equal(0, measured["rocm.inference.requests.running"]);
            Assert.True(measured["rocm.inference.request.duration"] > 0);
        }

        lock (finished)
        {
            Activity request = Assert.Single(finished, activity => activity.OperationName == "rocm.inference.request" && activity.TraceId == parent.TraceId);
            Assert.Equal(ActivityStatusCode.Ok, request.Status);
            Assert.Equal(7, request.GetTagItem("rocm.inference.generated_tokens"));
        }

        void Add(Instrument instrument, double value)
        {
            lock (measured) measured[instrument.Name] = measured.GetValueOrDefault(instrument.Name) + value;
        }
    }

    private sealed class Recorder(List<ModelLoadProgress> reports) : IProgress<ModelLoadProgress>
    {
        public void Report(ModelLoadProgress value) => reports.Add(value);
    }

    private sealed class OwnMeters : IMeterFactory
    {
        public Meter? Meter { get; private set; }

        public Meter Create(MeterOptions options) => Meter = new Meter(options);

        public void Dispose() => Meter?.Dispose();
    }
}
