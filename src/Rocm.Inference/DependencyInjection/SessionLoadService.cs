using Microsoft.Extensions.Hosting;

namespace Rocm.Inference.DependencyInjection;

/// <summary>Loads a session when the host starts, so that a broken model stops the start and not the first request.</summary>
internal sealed class SessionLoadService(IServiceProvider provider, SessionRegistration registration) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        InferenceSession session = registration.Resolve(provider);
        return session.Options.LoadOnStart ? session.WhenReadyAsync(cancellationToken) : Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
