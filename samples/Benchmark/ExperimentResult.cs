using System.Reflection;
using System.Runtime.InteropServices;
using Rocm.Inference;

namespace Benchmark;

/// <summary>Everything that was measured and on what: what the JSON file holds.</summary>
internal sealed record ExperimentResult
{
    /// <summary>Raised when a field changes its meaning.</summary>
    public int SchemaVersion { get; init; } = 1;

    public required DateTimeOffset StartedAt { get; init; }

    public string LibraryVersion { get; } =
        typeof(InferenceSession).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public string Runtime { get; } = $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}";

    public required DeviceInfo Device { get; init; }

    public required MeasuredModel Model { get; init; }

    public required MeasuredLoad Load { get; init; }

    /// <summary>One for each backend and concurrency, by concurrency, the best first by throughput.</summary>
    public required IReadOnlyList<MeasuredBackend> Results { get; init; }

    /// <summary>Backends that could not run the model, with every reason.</summary>
    public required IReadOnlyList<SurveyedBackend> NotSupported { get; init; }

    public static ExperimentResult Of(
        DateTimeOffset startedAt, Arguments arguments, BackendSurvey survey, IReadOnlyList<string> backends,
        IReadOnlyDictionary<(string Backend, int Concurrency), List<Round>> rounds) => new()
        {
            StartedAt = startedAt,
            Device = survey.Device,
            Model = new MeasuredModel(
                survey.Model.Name, survey.Model.Architecture, survey.Model.ParameterCount, survey.Model.DType.ToString(), survey.Model.KvCacheDType.ToString(),
                survey.Model.NumLayers, survey.Model.NumQoHeads, survey.Model.NumKvHeads),
            Load = new MeasuredLoad(
                arguments.InputLength, arguments.OutputLength, arguments.Concurrencies, arguments.NumRequests, arguments.NumRounds, arguments.MaxTokensPerStep,
                arguments.BlockSize, arguments.Seed),
            Results = [.. arguments.Concurrencies.SelectMany(concurrency => MeasuredBackend.Rank(concurrency, backends, rounds))],
            NotSupported = [.. survey.Backends.Where(backend => !backend.IsSupported)],
        };
}

/// <summary>The model that ran.</summary>
internal sealed record MeasuredModel(
    string Name, string Architecture, long ParameterCount, string DType, string KvCacheDType, int NumLayers, int NumQoHeads, int NumKvHeads);

/// <summary>The requests. Null: the default of the program (requests) or of the session.</summary>
internal sealed record MeasuredLoad(
    int InputLength, int OutputLength, IReadOnlyList<int> Concurrencies, int? NumRequests, int NumRounds, int? MaxTokensPerStep, int? BlockSize, int Seed);

/// <summary>A number that counts, and how many times worse it is than the best backend's at the same concurrency: 1 for the best.</summary>
internal sealed record Score(double Value, double TimesWorse);

/// <summary>One backend at one concurrency: medians over rounds, then the rounds themselves.</summary>
internal sealed record MeasuredBackend
{
    public required string Backend { get; init; }

    public required int Concurrency { get; init; }

    /// <summary>Mean TPOT in milliseconds.</summary>
    public required Score TokenMs { get; init; }

    /// <summary>Mean TTFT in milliseconds.</summary>
    public required Score FirstTokenMs { get; init; }

    /// <summary>Generated tokens per second, all requests together.</summary>
    public required Score OutputTokensPerSecond { get; init; }

    public required Distribution TokenMsSpread { get; init; }

    public required Distribution FirstTokenMsSpread { get; init; }

    public required IReadOnlyList<MeasuredRound> Rounds { get; init; }

    /// <summary>Throughput of the best round over that of the worst: smaller differences between backends than this mean nothing.</summary>
    public double RoundSpread => Rounds.Max(round => round.OutputTokensPerSecond) / Rounds.Min(round => round.OutputTokensPerSecond);

    public static IEnumerable<MeasuredBackend> Rank(
        int concurrency, IReadOnlyList<string> backends, IReadOnlyDictionary<(string Backend, int Concurrency), List<Round>> rounds)
    {
        var numbers = backends.ToDictionary(backend => backend, backend => (
            Token: Distribution.MedianOf([.. rounds[(backend, concurrency)].Select(round => round.TokenMs)]),
            First: Distribution.MedianOf([.. rounds[(backend, concurrency)].Select(round => round.FirstTokenMs)]),
            Rate: Distribution.MedianOf(rounds[(backend, concurrency)].Select(round => round.OutputTokensPerSecond))));
        double token = numbers.Values.Min(n => n.Token.Mean), first = numbers.Values.Min(n => n.First.Mean), rate = numbers.Values.Max(n => n.Rate);
        return backends.OrderByDescending(backend => numbers[backend].Rate).Select(backend => new MeasuredBackend
        {
            Backend = backend,
            Concurrency = concurrency,
            TokenMs = new Score(numbers[backend].Token.Mean, Ratio(numbers[backend].Token.Mean, token)),
            FirstTokenMs = new Score(numbers[backend].First.Mean, Ratio(numbers[backend].First.Mean, first)),
            OutputTokensPerSecond = new Score(numbers[backend].Rate, Ratio(rate, numbers[backend].Rate)),
            TokenMsSpread = numbers[backend].Token,
            FirstTokenMsSpread = numbers[backend].First,
            Rounds = [.. rounds[(backend, concurrency)].Select(MeasuredRound.Of)],
        });
    }

    // Answers of one token have no TPOT: all backends are then equally good at it.
    private static double Ratio(double a, double b) => b == 0 ? 1 : a / b;
}

/// <summary>One round, for judging how much rounds differ.</summary>
internal sealed record MeasuredRound(Distribution TokenMs, Distribution FirstTokenMs, double OutputTokensPerSecond, double DurationSeconds, long Preemptions)
{
    public static MeasuredRound Of(Round round) =>
        new(round.TokenMs, round.FirstTokenMs, round.OutputTokensPerSecond, round.Duration.TotalSeconds, round.Preemptions);
}
