using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Rocm.Inference.Engine;

namespace Rocm.Inference.Tests.Engine;

/// <summary>Loads the fake model, and makes sessions on it.</summary>
internal sealed class FakeModelLoader(FakeModelOptions options) : IModelLoader
{
    private int _numLoads;

    public int NumLoads => Volatile.Read(ref _numLoads);

    public FakeExecutor? Executor { get; private set; }

    public SessionServices? Services { get; private set; }

    public LoadedModel Load(SessionSettings settings, SessionServices services, LoadProgressReporter progress, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _numLoads);
        Services = services;
        options.OnLoad?.Invoke(progress, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        Executor = new FakeExecutor(options);
        return new LoadedModel
        {
            Executor = Executor,
            Tokenizer = null!,
            Text = new CharCodec(),
            Info = new ModelInfo
            {
                Name = "fake", Path = settings.ModelPath, Architecture = "Fake", VocabSize = options.VocabSize,
                ContextLength = options.MaxModelLen, MaxModelLen = options.MaxModelLen,
            },
            Device = new DeviceInfo { Kind = DeviceKind.Cpu, Name = "fake", Architecture = "none", Reason = settings.Device.Source },
            Attention = new AttentionSelection { Name = "FAKE", Kind = AttentionKind.Mha, Reason = "test", Refused = [] },
            Defaults = options.Defaults with { EosTokenIds = options.EosTokenIds },
        };
    }

    public static InferenceSessionBuilder Builder(FakeModelLoader loader, InferenceSessionOptions? sessionOptions = null)
    {
        sessionOptions ??= new InferenceSessionOptions();
        sessionOptions.ModelPath ??= "fake";
        return new InferenceSessionBuilder(sessionOptions, string.Empty, loader, _ => null);
    }

    public static async Task<(InferenceSession Session, FakeModelLoader Loader)> LoadAsync(
        FakeModelOptions? options = null, InferenceSessionOptions? sessionOptions = null, ILoggerFactory? loggers = null, IMeterFactory? meters = null)
    {
        var loader = new FakeModelLoader(options ?? new FakeModelOptions());
        InferenceSessionBuilder builder = Builder(loader, sessionOptions);
        if (loggers is not null) builder.UseLoggerFactory(loggers);
        if (meters is not null) builder.UseMeterFactory(meters);
        return (await builder.LoadAsync(), loader);
    }
}
