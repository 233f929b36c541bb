using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Rocm.Inference.Engine;

namespace Rocm.Inference.DependencyInjection;

/// <summary>What is known about one registered session before it is resolved. One per key in a service collection.</summary>
internal sealed class SessionRegistration(string? key)
{
    public string? Key => key;

    /// <summary>Name of the session's options.</summary>
    public string OptionsName => key ?? Options.DefaultName;

    public List<Action<IServiceProvider, InferenceSessionBuilder>> Configure { get; } = [];

    /// <summary>Makes the session. Does no I/O.</summary>
    public InferenceSession Create(IServiceProvider provider)
    {
        InferenceSessionOptions options = provider.GetRequiredService<IOptionsMonitor<InferenceSessionOptions>>().Get(OptionsName);
        var builder = new InferenceSessionBuilder(
            options, OptionsName, provider.GetService<IModelLoader>() ?? new HuggingFaceModelLoader(), Environment.GetEnvironmentVariable);
        if (provider.GetService<ILoggerFactory>() is ILoggerFactory loggers) builder.UseLoggerFactory(loggers);
        if (provider.GetService<IMeterFactory>() is IMeterFactory meters) builder.UseMeterFactory(meters);
        foreach (IAttentionBackend backend in provider.GetServices<IAttentionBackend>()) builder.AddAttentionBackend(backend);
        foreach (Action<IServiceProvider, InferenceSessionBuilder> configure in Configure) configure(provider, builder);
        return builder.Build();
    }

    public InferenceSession Resolve(IServiceProvider provider) =>
        key is null ? provider.GetRequiredService<InferenceSession>() : provider.GetRequiredKeyedService<InferenceSession>(key);
}
