using System.Diagnostics;
using System.Globalization;

namespace Rocm.Inference.Benchmarks;

/// <summary>
/// A session as its callers see it, on a model folder: loading, prefill, decode of one and of several streams, memory, idling. Read bandwidth is measured
/// between the figures.
/// </summary>
internal sealed class SessionBench
{
    private const int BatchPromptLen = 16, BatchGenerateLen = 32;
    private const long CacheBytes = 96L << 20;
    private readonly InferenceSession _session;
    private readonly Random _random = new(1);

    private SessionBench(InferenceSession session) => _session = session;

    public static async Task RunAsync(CommandArguments arguments)
    {
        string folder = arguments.Operand("a model folder");
        int threads = arguments.Number("--threads", Environment.ProcessorCount), repeat = arguments.Number("--repeat", 3);
        int prompt = arguments.Number("--prompt", 512), generate = arguments.Number("--generate", 128);
        int[] streams = arguments.Numbers("--streams", 1, 4, 16, 32);
        var limits = new BenchOptions(threads, 5, 0);
        long anonymousBefore = Status("RssAnon:");
        var options = new InferenceSessionOptions { Device = DevicePreference.Cpu, NumThreads = threads, KvCacheMemoryBytes = CacheBytes };
        long start = Stopwatch.GetTimestamp();
        await using InferenceSession session = await InferenceSession.LoadAsync(folder, options).ConfigureAwait(false);
        Print("load", Stopwatch.GetElapsedTime(start).TotalSeconds, "s");
        var bench = new SessionBench(session);
        Print("first token, 16-token prompt, first request", await bench.FirstTokenAsync().ConfigureAwait(false) * 1e3, "ms");
        Print("first token, 16-token prompt, second request", await bench.FirstTokenAsync().ConfigureAwait(false) * 1e3, "ms");

        // Once without being counted, as the peers do.
        if (prompt > 0) await bench.PrefillAsync(prompt).ConfigureAwait(false);
        await bench.DecodeAsync(8).ConfigureAwait(false);
        await bench.BatchAsync(streams.Max()).ConfigureAwait(false);

        // Before anything else of this process allocates: the bandwidth test has half a gigabyte.
        long anonymous = Status("RssAnon:"), peak = Status("VmHWM:");
        long expected = session.Model.WeightBytes + session.Model.KvCacheBytes;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"memory: anonymous {anonymous / 1e6:F0} MB (before loading {anonymousBefore / 1e6:F0}); " +
            $"weights {session.Model.WeightBytes / 1e6:F0} + KV {session.Model.KvCacheBytes / 1e6:F0} MB, beyond weights {(anonymous - session.Model.WeightBytes) / 1e6:F0} MB, " +
            $"over both {(anonymous - expected) / 1e6:F0} MB; peak resident {peak / 1e6:F0} MB"));
        Print("idle processor time", await IdleAsync().ConfigureAwait(false) * 100, "% of one");
        await bench.MeasureAsync(limits, prompt, generate, streams, repeat).ConfigureAwait(false);
    }

    private async Task MeasureAsync(BenchOptions limits, int prompt, int generate, int[] streams, int repeat)
    {
        var figures = new Dictionary<string, List<double>>();
        void Add(string name, double value)
        {
            if (!figures.TryGetValue(name, out List<double>? list)) figures.Add(name, list = []);
            list.Add(value);
        }

        for (int r = 0; r < repeat; r++)
        {
            Add("read bandwidth, GB/s", LimitsBench.ReadGigabytes(limits));
            if (prompt > 0) Add($"pp{prompt}", await PrefillAsync(prompt).ConfigureAwait(false));
            (double rate, double allocated) = await DecodeAsync(generate).ConfigureAwait(false);
            Add($"tg{generate}", rate);
            Add($"tg{generate}, bytes allocated a token", allocated);
            Add("read bandwidth, GB/s", LimitsBench.ReadGigabytes(limits));
            foreach (int count in streams) Add($"decode of {count}", await BatchAsync(count).ConfigureAwait(false));
        }

        foreach ((string name, List<double> values) in figures)
        {
            values.Sort();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name,-40} {values[values.Count / 2],9:F2} ({values[0]:F2} - {values[^1]:F2}, n={values.Count})"));
        }
    }

    /// <summary>Seconds until the first token has come, everything included.</summary>
    private async Task<double> FirstTokenAsync()
    {
        long start = Stopwatch.GetTimestamp();
        await _session.CompleteAsync(Prompt(16), Length(1)).ConfigureAwait(false);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Prompt tokens a second, from scheduling to the first sampled token.</summary>
    private async Task<double> PrefillAsync(int length) =>
        (await _session.CompleteAsync(Prompt(length), Length(1)).ConfigureAwait(false)).Timings.PromptTokensPerSecond;

    /// <summary>Generated tokens a second after the first, and what the whole process allocated for each, the reader included.</summary>
    private async Task<(double TokensPerSecond, double AllocatedBytes)> DecodeAsync(int length)
    {
        long before = GC.GetTotalAllocatedBytes(precise: true);
        GenerationResult result = await _session.CompleteAsync(Prompt(1), Length(length + 1)).ConfigureAwait(false);
        return (result.Timings.GeneratedTokensPerSecond, (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)length);
    }

    /// <summary>Tokens a second of all streams together, counted from when every stream has its first token.</summary>
    private async Task<double> BatchAsync(int streams)
    {
        Task<List<long>>[] readers = [.. Enumerable.Range(0, streams).Select(_ => ReadAsync())];
        List<long>[] times = await Task.WhenAll(readers).ConfigureAwait(false);
        long from = times.Max(t => t[0]), to = times.Max(t => t[^1]);
        return times.Sum(t => t.Count(at => at > from)) / Stopwatch.GetElapsedTime(from, to).TotalSeconds;
    }

    private async Task<List<long>> ReadAsync()
    {
        var times = new List<long>(BatchGenerateLen + 1);
        await foreach (GenerationUpdate update in _session.GenerateAsync(Prompt(BatchPromptLen), Length(BatchGenerateLen + 1)).ConfigureAwait(false))
        {
            long now = Stopwatch.GetTimestamp();
            for (int i = 0; i < update.TokenIds.Count; i++) times.Add(now);
        }

        return times;
    }

    // Never the same twice, so that no prefix is found in the cache.
    private int[] Prompt(int length)
    {
        lock (_random) return [.. Enumerable.Range(0, length).Select(_ => _random.Next(3, _session.Model.VocabSize))];
    }

    private static GenerationOptions Length(int tokens) => new() { MaxNewTokens = tokens, IgnoreEos = true, Temperature = 0 };

    private static async Task<double> IdleAsync()
    {
        await Task.Delay(300).ConfigureAwait(false);
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        await Task.Delay(1000).ConfigureAwait(false);
        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds;
    }

    private static long Status(string field)
    {
        foreach (string line in File.Exists("/proc/self/status") ? File.ReadLines("/proc/self/status") : [])
        {
            if (!line.StartsWith(field, StringComparison.Ordinal)) continue;
            return long.Parse(line[field.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture) * 1024;
        }

        return 0;
    }

    private static void Print(string name, double value, string unit) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-44} {value,9:F2} {unit}"));
}
