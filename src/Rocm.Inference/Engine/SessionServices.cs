using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace Rocm.Inference.Engine;

/// <summary>What a session takes from its host that is not data.</summary>
internal sealed record SessionServices
{
    public required ILoggerFactory LoggerFactory { get; init; }

    /// <summary>Null: the session has a meter of its own.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>The host's own backends, in the order of registration.</summary>
    public IReadOnlyList<AttentionBackendRegistration> AttentionBackends { get; init; } = [];

    /// <summary>A device that the host owns, or null.</summary>
    public IDevice? SharedDevice { get; init; }
}

/// <summary>A backend of the host and its place among the built-in ones.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Priority">Above 0: tried before all built-in ones, highest first; else after them.</param>
internal sealed record AttentionBackendRegistration(IAttentionBackend Backend, int Priority);
