using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>Real loads that are interrupted at every phase.</summary>
public sealed class SessionLoadTests
{
    private static InferenceSessionOptions Options => new() { Device = DevicePreference.Cpu, NumThreads = 2 };

    [Theory]
    [InlineData(ModelLoadPhase.Configuration)]
    [InlineData(ModelLoadPhase.Tokenizer)]
    [InlineData(ModelLoadPhase.Weights)]
    [InlineData(ModelLoadPhase.Engine)]
    public async Task Cancelling_in_any_phase_stops_the_load_and_leaves_nothing(ModelLoadPhase phase)
    {
        using SessionFolder folder = SessionFolder.Named("tiny-llama");
        using var cancel = new CancellationTokenSource();
        var cancelled = await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => InferenceSession.LoadAsync(folder.Path, Options, new AtPhase(phase, cancel.Cancel), cancel.Token));
        Assert.Equal(cancel.Token, cancelled.CancellationToken);
        folder.AssertReleased();
    }

    [Fact]
    public async Task A_load_that_was_cancelled_before_it_began_does_nothing()
    {
        bool hasReadTokenizer = false;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => InferenceSession.LoadAsync(
            RepositoryPaths.TinyLlama, Options, new AtPhase(ModelLoadPhase.Tokenizer, () => hasReadTokenizer = true), new CancellationToken(canceled: true)));
        Assert.False(hasReadTokenizer);
    }

    [Theory]
    [InlineData(ModelLoadPhase.Configuration)]
    [InlineData(ModelLoadPhase.Weights)]
    [InlineData(ModelLoadPhase.Engine)]
    [InlineData(ModelLoadPhase.Ready)]
    public async Task Disposing_in_any_phase_ends_the_load_and_those_who_wait(ModelLoadPhase phase)
    {
        using SessionFolder folder = SessionFolder.Named("tiny-llama");
        InferenceSession? session = null;
        Task disposal = Task.CompletedTask;
        InferenceSessionOptions options = Options;
        options.ModelPath = folder.Path;
        session = new InferenceSessionBuilder(options).UseProgress(new AtPhase(phase, () => disposal = session!.DisposeAsync().AsTask())).Build();
        Exception?[] ends = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Record.ExceptionAsync(async () =>
        {
            if (i == 0) await session.WhenReadyAsync();
            else await session.CompleteAsync("abc", Answer.Greedy(400));
        }).AsTask()));
        await disposal;

        Assert.All(ends.Skip(1), end => Assert.IsType<ObjectDisposedException>(end));
        if (phase != ModelLoadPhase.Ready) Assert.IsType<ObjectDisposedException>(ends[0]);
        Assert.Equal(SessionState.Disposed, session.State);
        folder.AssertReleased();
    }

    [Theory]
    [InlineData(ModelLoadPhase.Weights)]
    [InlineData(ModelLoadPhase.Ready)]
    public async Task A_progress_that_throws_ends_the_load_with_its_error(ModelLoadPhase phase)
    {
        using SessionFolder folder = SessionFolder.Named("tiny-llama");
        var error = await Assert.ThrowsAsync<InvalidDataException>(
            () => InferenceSession.LoadAsync(folder.Path, Options, new AtPhase(phase, () => throw new InvalidDataException("of the caller"))));
        Assert.Equal("of the caller", error.Message);
        folder.AssertReleased();
    }

    private sealed class AtPhase(ModelLoadPhase phase, Action action) : IProgress<ModelLoadProgress>
    {
        private bool _isDone;

        public void Report(ModelLoadProgress value)
        {
            if (_isDone || value.Phase != phase) return;
            _isDone = true;
            action();
        }
    }
}
