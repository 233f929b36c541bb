using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Rocm.Inference.DependencyInjection;

namespace Rocm.Inference;

/// <summary>Adds to a session that was registered with <c>AddRocmInference</c>.</summary>
public sealed class RocmInferenceBuilder
{
    private readonly SessionRegistration _registration;

    internal RocmInferenceBuilder(IServiceCollection services, SessionRegistration registration)
    {
        Services = services;
        _registration = registration;
    }

    /// <summary>The services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Key of the session, or null for the one without.</summary>
    public string? Key => _registration.Key;

    /// <summary>Lets an own attention backend, made by the container, take part in the selection.</summary>
    /// <typeparam name="T">The backend; a singleton.</typeparam>
    /// <param name="priority">Above 0: tried before the built-in backends, highest first; else after them.</param>
    [Experimental("ROCM0001")]
    public RocmInferenceBuilder AddAttentionBackend<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(int priority = 1)
        where T : class, IAttentionBackend
    {
        Services.TryAddSingleton<T>();
        return ConfigureSession((provider, builder) => builder.AddAttentionBackend(provider.GetRequiredService<T>(), priority));
    }

    /// <summary>Lets an own attention backend take part in the selection.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="priority">Above 0: tried before the built-in backends, highest first; else after them.</param>
    [Experimental("ROCM0001")]
    public RocmInferenceBuilder AddAttentionBackend(IAttentionBackend backend, int priority = 1)
    {
        ArgumentNullException.ThrowIfNull(backend);
        return ConfigureSession((_, builder) => builder.AddAttentionBackend(backend, priority));
    }

    /// <summary>Does anything else that <see cref="InferenceSessionBuilder"/> can, when the session is resolved.</summary>
    /// <param name="configure">Gets the container and the session's builder. Must do no I/O.</param>
    public RocmInferenceBuilder ConfigureSession(Action<IServiceProvider, InferenceSessionBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        _registration.Configure.Add(configure);
        return this;
    }
}
