using System.Collections.Concurrent;
using System.Diagnostics;
using Rocm.Inference;

namespace Benchmark;

/// <summary>
/// The requests: the same random ids for every backend and round. Keeps a number of them going until all are done, as clients of a busy server would.
/// </summary>
internal sealed class Workload
{
    private readonly int[][] _prompts;

    public Workload(int numRequests, int inputLength, int vocabularySize, int seed)
    {
        var random = new Random(seed);
        _prompts = [.. Enumerable.Range(0, numRequests).Select(_ => Enumerable.Range(0, inputLength).Select(_ => random.Next(vocabularySize)).ToArray())];
    }

    /// <summary>Runs every request once.</summary>
    /// <param name="session">The session.</param>
    /// <param name="concurrency">Requests at a time.</param>
    /// <param name="outputLength">Tokens to generate for each.</param>
    /// <param name="onToken">Told how many tokens have come.</param>
    /// <param name="cancellationToken">Ends all of them.</param>
    public async Task<Round> RunAsync(
        InferenceSession session, int concurrency, int outputLength, Action<int> onToken, CancellationToken cancellationToken)
    {
        var waiting = new ConcurrentQueue<int[]>(_prompts);
        var timings = new ConcurrentBag<RequestTiming>();
        long preemptions = session.Statistics.Preemptions;
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, concurrency).Select(_ => Task.Run(ClientAsync, cancellationToken)));
        return new Round([.. timings], Stopwatch.GetElapsedTime(start), session.Statistics.Preemptions - preemptions);

        async Task ClientAsync()
        {
            while (waiting.TryDequeue(out int[]? prompt)) timings.Add(await TimeAsync(session, prompt, outputLength, onToken, cancellationToken));
        }
    }

    private static async Task<RequestTiming> TimeAsync(
        InferenceSession session, int[] prompt, int outputLength, Action<int> onToken, CancellationToken cancellationToken)
    {
        // Greedy to the full length: every backend does the same work, whatever the model says.
        var options = new GenerationOptions { MaxNewTokens = outputLength, Temperature = 0, RepetitionPenalty = 1, IgnoreEos = true };
        GenerationUpdate? last = null;
        await foreach (GenerationUpdate update in session.GenerateAsync(prompt, options, cancellationToken))
        {
            onToken(update.TokenIds.Count);
            last = update;
        }

        // The engine's own clock: a client that waits for a busy processor gets several tokens at once, and would see none of the time between them.
        if (last is not { Timings: { } timings, Usage: { } usage }) throw new InvalidOperationException("A generation ended without its timings.");
        return new RequestTiming(timings.TimeToFirstToken, timings.Decode, usage.GeneratedTokens);
    }
}
