using System.Diagnostics;
using System.Globalization;
using Rocm.Inference;

namespace Benchmark;

/// <summary>
/// Measures backends side by side. Rounds alternate between them, each time beginning with another one, so that a machine which gets warm or busy
/// hits all alike. One session at a time: none shares memory or processors with another.
/// </summary>
internal sealed class Experiment(Arguments arguments, BackendSurvey survey, string model, IReadOnlyList<string> backends, ProgressLine progress)
{
    private const int WarmUpTokens = 4;
    private const int WarmUpInput = 32;

    private readonly Dictionary<(string Backend, int Concurrency), List<Round>> _rounds = [];
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _tokensDone;
    private string _doing = string.Empty;

    private long TokensTotal => (long)arguments.NumRounds * backends.Count * arguments.OutputLength * arguments.Concurrencies.Sum(NumRequests);

    public async Task<ExperimentResult> RunAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset startedAt = DateTimeOffset.UtcNow;
        for (int round = 0; round < arguments.NumRounds; round++)
        {
            for (int i = 0; i < backends.Count; i++)
                await RunAsync(backends[(i + round) % backends.Count], round, cancellationToken);
        }

        progress.Clear();
        return ExperimentResult.Of(startedAt, arguments, survey, backends, _rounds);
    }

    private async Task RunAsync(string backend, int round, CancellationToken cancellationToken)
    {
        await using InferenceSession session = await InferenceSession.LoadAsync(model, BackendSurvey.Options(arguments, backend), progress, cancellationToken);
        await WarmUpAsync(session, cancellationToken);
        foreach (int concurrency in arguments.Concurrencies)
        {
            _doing = $"{backend}, concurrency {concurrency}, round {round + 1} of {arguments.NumRounds}";
            var workload = new Workload(NumRequests(concurrency), arguments.InputLength, session.Model.VocabSize, arguments.Seed);

            // What earlier measurements left behind is not this one's to collect.
            GC.Collect();
            Round measured = await workload.RunAsync(session, concurrency, arguments.OutputLength, OnToken, cancellationToken);
            if (!_rounds.TryGetValue((backend, concurrency), out List<Round>? rounds)) _rounds[(backend, concurrency)] = rounds = [];
            rounds.Add(measured);
            if (Console.IsErrorRedirected) Console.WriteLine(Line(measured));
        }
    }

    // One whole prompt, and as many requests at once as will be measured: kernels, buffers and pages are then in use as they will be.
    private async Task WarmUpAsync(InferenceSession session, CancellationToken cancellationToken)
    {
        int tokens = Math.Min(WarmUpTokens, arguments.OutputLength), most = arguments.Concurrencies.Max();
        progress.Show("warming up", (double)_tokensDone / TokensTotal);
        await new Workload(1, arguments.InputLength, session.Model.VocabSize, arguments.Seed + 1).RunAsync(session, 1, tokens, _ => { }, cancellationToken);
        await new Workload(most, Math.Min(WarmUpInput, arguments.InputLength), session.Model.VocabSize, arguments.Seed + 2)
            .RunAsync(session, most, tokens, _ => { }, cancellationToken);
    }

    private int NumRequests(int concurrency) => arguments.NumRequests ?? concurrency;

    private void OnToken(int count)
    {
        if (count == 0) return;
        double done = (double)Interlocked.Add(ref _tokensDone, count) / TokensTotal;
        progress.Show(_doing, done, Stopwatch.GetElapsedTime(_start) * ((1 / done) - 1));
    }

    private string Line(Round round) => string.Create(
        CultureInfo.InvariantCulture,
        $"{_doing}: TTFT {round.FirstTokenMs.Mean:0.0} ms, TPOT {round.TokenMs.Mean:0.00} ms, {round.OutputTokensPerSecond:0.0} tokens/s");
}
