using Rocm.Inference;

namespace Benchmark;

/// <summary>A backend and every reason against it for the model on this device; none when it can run.</summary>
internal sealed record SurveyedBackend(string Name, bool IsSupported, IReadOnlyList<string> Reasons);

/// <summary>What a session says before anything is measured: device, model, and which backends could run it.</summary>
internal sealed record BackendSurvey(DeviceInfo Device, ModelInfo Model, AttentionSelection Attention)
{
    /// <summary>All backends, the session's own choice first.</summary>
    public IReadOnlyList<SurveyedBackend> Backends { get; } =
    [
        new SurveyedBackend(Attention.Name, true, []),
        .. Attention.Refused.Select(refused => new SurveyedBackend(refused.Name, refused.IsSupported, refused.IsSupported ? [] : refused.Reasons)),
    ];

    public static async Task<BackendSurvey> MakeAsync(Arguments arguments, string model, ProgressLine progress, CancellationToken cancellationToken)
    {
        await using InferenceSession session = await InferenceSession.LoadAsync(model, Options(arguments, null), progress, cancellationToken);
        progress.Clear();
        return new BackendSurvey(session.Device, session.Model, session.Attention);
    }

    /// <summary>Options of a session for a measurement: room for exactly the load, and nothing remembered between requests.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="backend">The backend, or null for the session's own choice.</param>
    public static InferenceSessionOptions Options(Arguments arguments, string? backend) => new()
    {
        AttentionBackend = backend,
        Device = arguments.Device,
        NumThreads = arguments.Threads,
        BlockSize = arguments.BlockSize,
        KvCacheDType = arguments.KvCacheType,
        MaxNumBatchedTokens = arguments.MaxTokensPerStep,
        MaxNumRequests = arguments.Concurrencies.Max(),
        MaxModelLen = arguments.InputLength + arguments.OutputLength,
        EnablePrefixCaching = false,
    };

    /// <summary>Names that are no backend's.</summary>
    public IReadOnlyList<string> Unknown(IReadOnlyList<string>? asked) =>
        [.. (asked ?? []).Where(name => !Backends.Any(backend => backend.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))];

    /// <summary>Those of the backends asked for that can run the model; null asks for all.</summary>
    public IReadOnlyList<string> Usable(IReadOnlyList<string>? asked) =>
        [.. Backends.Where(backend => backend.IsSupported && (asked?.Contains(backend.Name, StringComparer.OrdinalIgnoreCase) ?? true)).Select(backend => backend.Name)];
}
