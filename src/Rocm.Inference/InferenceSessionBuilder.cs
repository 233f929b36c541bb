using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Rocm.Inference.Engine;

namespace Rocm.Inference;

/// <summary>
/// Builds sessions from options and from what is not data: loggers, meters, own attention backends, a shared device.
/// <see cref="InferenceSession.LoadAsync(string, InferenceSessionOptions?, IProgress{ModelLoadProgress}?, CancellationToken)"/> and
/// dependency injection go through it. Not thread-safe.
/// </summary>
public sealed class InferenceSessionBuilder
{
    private readonly InferenceSessionOptions _options;
    private readonly List<AttentionBackendRegistration> _backends = [];
    private readonly IModelLoader _loader;
    private readonly Func<string, string?> _environment;
    private readonly string _name;
    private ILoggerFactory _loggerFactory = NullLoggerFactory.Instance;
    private IMeterFactory? _meterFactory;
    private IProgress<ModelLoadProgress>? _progress;
    private IDevice? _device;

    /// <summary>Creates a builder.</summary>
    /// <param name="options">Read when the session is built.</param>
    public InferenceSessionBuilder(InferenceSessionOptions options)
        : this(options, Options.DefaultName, new HuggingFaceModelLoader(), Environment.GetEnvironmentVariable)
    {
    }

    internal InferenceSessionBuilder(InferenceSessionOptions options, string name, IModelLoader loader, Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _name = name;
        _loader = loader;
        _environment = environment;
    }

    /// <summary>Where log messages go. Prompts and answers are never logged above <see cref="LogLevel.Trace"/>.</summary>
    /// <param name="loggerFactory">The host's factory.</param>
    public InferenceSessionBuilder UseLoggerFactory(ILoggerFactory loggerFactory)
    {
        ArgumentNullException.ThrowIfNull(loggerFactory);
        _loggerFactory = loggerFactory;
        return this;
    }

    /// <summary>Who makes the meter <c>Rocm.Inference</c>; without it the session has one of its own.</summary>
    /// <param name="meterFactory">The host's factory.</param>
    public InferenceSessionBuilder UseMeterFactory(IMeterFactory meterFactory)
    {
        ArgumentNullException.ThrowIfNull(meterFactory);
        _meterFactory = meterFactory;
        return this;
    }

    /// <summary>Who is told how loading gets on.</summary>
    /// <param name="progress">Called on the loading thread.</param>
    public InferenceSessionBuilder UseProgress(IProgress<ModelLoadProgress> progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        _progress = progress;
        return this;
    }

    /// <summary>Runs on a device that the caller owns and disposes after the session; the options' device is then not looked at.</summary>
    /// <param name="device">The device.</param>
    public InferenceSessionBuilder UseDevice(IDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        return this;
    }

    /// <summary>Lets an own attention backend take part in the selection.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="priority">Above 0: tried before the built-in backends, highest first; else after them.</param>
    [Experimental("ROCM0001")]
    public InferenceSessionBuilder AddAttentionBackend(IAttentionBackend backend, int priority = 1)
    {
        ArgumentNullException.ThrowIfNull(backend);
        _backends.Add(new AttentionBackendRegistration(backend, priority));
        return this;
    }

    /// <summary>
    /// Checks the options and makes a session that loads at its first call, or with <see cref="InferenceSession.WhenReadyAsync"/>. Does no
    /// I/O.
    /// </summary>
    /// <exception cref="OptionsValidationException">Lists every option, and every environment variable, that is wrong.</exception>
    public InferenceSession Build()
    {
        SessionSettings settings = SessionSettings.Resolve(_options, _name, _environment);
        var services = new SessionServices
        {
            LoggerFactory = _loggerFactory,
            MeterFactory = _meterFactory,
            AttentionBackends = [.. _backends],
            SharedDevice = _device,
        };
        return new InferenceSession(settings, services, _loader, _progress);
    }

    /// <summary>Builds a session and loads it.</summary>
    /// <param name="cancellationToken">Stops loading; nothing stays behind.</param>
    /// <exception cref="OptionsValidationException">Lists every option, and every environment variable, that is wrong.</exception>
    /// <exception cref="RocmInferenceException">The model, the device or the attention backend cannot be used.</exception>
    /// <exception cref="OperationCanceledException">Loading was cancelled.</exception>
    public async Task<InferenceSession> LoadAsync(CancellationToken cancellationToken = default)
    {
        InferenceSession session = Build();
        try
        {
            await session.LoadAsync(cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch
        {
            await session.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
