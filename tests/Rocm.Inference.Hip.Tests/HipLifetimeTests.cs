using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>Sessions on a GPU that are cancelled, disposed of while they work, or share the device.</summary>
[Collection(EmulatorOptions.Collection)]
public sealed class HipLifetimeTests
{
    private const string Target = EmulatedGpu.Gfx942;

    [Fact]
    public async Task Progress_of_loading_goes_from_nothing_to_all_bytes_and_a_cancelled_load_leaves_nothing_behind()
    {
        using HipGpu gpu = HipSessions.Open(Target, out HandleLedger ledger);
        var reports = new Reports();
        await using (await LoadAsync(gpu, reports, CancellationToken.None))
        {
            Assert.Equal(reports.All.OrderBy(report => report.Phase).ThenBy(report => report.Done), reports.All);
            ModelLoadProgress last = reports.All.Last(report => report.Phase == ModelLoadPhase.Weights);
            Assert.True(last.Total > 5_000_000 && last.Done == last.Total, $"{last}");
        }

        string before = ledger.ToString();
        foreach (int number in (int[])[1, 2])
        {
            using var cancel = new CancellationTokenSource();
            var cancelling = new Reports { After = report => { if (report.Phase == ModelLoadPhase.Weights && report.Done < report.Total) cancel.Cancel(); } };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => LoadAsync(gpu, cancelling, cancel.Token));
            Assert.True(cancel.IsCancellationRequested);
            Assert.Equal(before, ledger.ToString());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_session_that_is_disposed_of_while_it_answers_ends_its_streams_and_gives_everything_back(int tokensBefore)
    {
        HipGpu gpu = HipSessions.Open(Target, out HandleLedger ledger);
        InferenceSession first = await LoadAsync(gpu), second = await LoadAsync(gpu);
        Task[] streams = [.. ((InferenceSession[])[first, second, first]).Select((session, i) => Task.Run(() => ReadAsync(session, (int[])[4094, 448 + i, 358])))];
        var started = new TaskCompletionSource();
        await foreach (GenerationUpdate update in first.GenerateAsync((int[])[4094, 448], HipSessions.Greedy(1 + tokensBefore))) started.TrySetResult();
        await started.Task;

        // All at once, and twice.
        await Task.WhenAll(first.DisposeAsync().AsTask(), second.DisposeAsync().AsTask(), Task.Run(first.Dispose));
        foreach (Task stream in streams) await Assert.ThrowsAsync<ObjectDisposedException>(() => stream);
        gpu.Dispose();
        Assert.Equal(("empty", 0), (ledger.ToString(), ledger.FailedReleases));
    }

    [Fact]
    public async Task A_session_that_is_disposed_of_while_it_loads_gives_everything_back()
    {
        using HipGpu gpu = HipSessions.Open(Target, out HandleLedger ledger);
        await (await LoadAsync(gpu)).DisposeAsync();
        string before = ledger.ToString();
        InferenceSession? session = null;
        var reports = new Reports { After = report => { if (report.Phase == ModelLoadPhase.Weights) _ = session!.DisposeAsync().AsTask(); } };
        session = new InferenceSessionBuilder(Options()).UseDevice(gpu).UseProgress(reports).Build();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => session.WhenReadyAsync());
        await session.DisposeAsync();
        Assert.Equal(before, ledger.ToString());
    }

    private static InferenceSessionOptions Options() => HipSessions.Options(HipSessions.TinyLlama, AttentionBackendNames.TritonAttn);

    private static Task<InferenceSession> LoadAsync(HipGpu gpu, IProgress<ModelLoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var builder = new InferenceSessionBuilder(Options());
        if (progress is not null) builder.UseProgress(progress);
        return builder.UseDevice(gpu).LoadAsync(cancellationToken);
    }

    private static async Task ReadAsync(InferenceSession session, int[] prompt)
    {
        await foreach (GenerationUpdate update in session.GenerateAsync(prompt, HipSessions.Greedy(100)))
        {
        }
    }

    private sealed class Reports : IProgress<ModelLoadProgress>
    {
        public List<ModelLoadProgress> All { get; } = [];

        public Action<ModelLoadProgress>? After { get; init; }

        public void Report(ModelLoadProgress value)
        {
            All.Add(value);
            After?.Invoke(value);
        }
    }
}
