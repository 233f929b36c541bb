using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Rocm.Inference;
using Rocm.Inference.DependencyInjection;
using Rocm.Inference.Engine;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers <see cref="InferenceSession"/> as a singleton, with or without a key.</summary>
/// <remarks>
/// Options are validated when the host starts. Resolving a session does no I/O; the host loads it at its start
/// (<see cref="InferenceSessionOptions.LoadOnStart"/>), without a host the first call does. The container disposes the session. Calling
/// twice for one key adds to the same session.
/// </remarks>
public static class RocmInferenceServiceCollectionExtensions
{
    /// <summary>Adds a session with options from code.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options.</param>
    public static RocmInferenceBuilder AddRocmInference(this IServiceCollection services, Action<InferenceSessionOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Add(services, null, options => options.Configure(configure));
    }

    /// <summary>Adds a session with options from configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="section">The section that holds the options.</param>
    public static RocmInferenceBuilder AddRocmInference(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return Add(services, null, options => options.Bind(section));
    }

    /// <summary>Adds a keyed session with options from code: one of several models.</summary>
    /// <param name="services">The services.</param>
    /// <param name="key">Key of the session and name of its options.</param>
    /// <param name="configure">Sets the options.</param>
    public static RocmInferenceBuilder AddRocmInference(this IServiceCollection services, string key, Action<InferenceSessionOptions> configure)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(configure);
        return Add(services, key, options => options.Configure(configure));
    }

    /// <summary>Adds a keyed session with options from configuration: one of several models.</summary>
    /// <param name="services">The services.</param>
    /// <param name="key">Key of the session and name of its options.</param>
    /// <param name="section">The section that holds the options.</param>
    public static RocmInferenceBuilder AddRocmInference(this IServiceCollection services, string key, IConfiguration section)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(section);
        return Add(services, key, options => options.Bind(section));
    }

    private static RocmInferenceBuilder Add(
        IServiceCollection services, string? key, Action<OptionsBuilder<InferenceSessionOptions>> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        SessionRegistration? registration = services
            .Select(service => service.IsKeyedService ? null : service.ImplementationInstance as SessionRegistration)
            .FirstOrDefault(known => known is not null && known.Key == key);
        string name = key ?? Options.Options.DefaultName;
        configure(services.AddOptions<InferenceSessionOptions>(name));
        if (registration is null)
        {
            registration = new SessionRegistration(key);
            services.AddSingleton(registration);
            services.AddOptions<InferenceSessionOptions>(name).ValidateOnStart();
            services.AddSingleton<IValidateOptions<InferenceSessionOptions>>(new InferenceSessionOptionsValidator(name));
            SessionRegistration captured = registration;
            if (key is null) services.AddSingleton(captured.Create);
            else services.AddKeyedSingleton(key, (provider, _) => captured.Create(provider));
            services.AddSingleton<IHostedService>(provider => new SessionLoadService(provider, captured));
        }

        return new RocmInferenceBuilder(services, registration);
    }
}
