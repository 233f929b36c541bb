using Rocm.Inference.Attention.Backends;

namespace Rocm.Inference.Attention;

/// <summary>An explicit wish for a backend and where it came from ("option AttentionBackend", "environment variable …").</summary>
internal readonly record struct AttentionBackendChoice(string Name, string Source);

/// <summary>
/// Picks the backend for a model on a device: walks the candidates in order, takes the first that has no reason against any layer group,
/// and keeps the reasons of all others. An explicit choice is taken or refused, never replaced.
/// </summary>
internal sealed class AttentionBackendSelector
{
    private readonly List<IAttentionBackend> _backends;
    private readonly IAttentionBackend[] _custom;

    /// <param name="custom">The host's own backends; priorities above 0 come before the library's, highest first, others after them.</param>
    public AttentionBackendSelector(IReadOnlyList<(IAttentionBackend Backend, int Priority)> custom)
    {
        _backends = [.. custom.Where(c => c.Priority > 0).OrderByDescending(c => c.Priority).Select(c => c.Backend)];
        _backends.Add(new TritonAttentionBackend());
        _backends.AddRange(custom.Where(c => c.Priority <= 0).OrderByDescending(c => c.Priority).Select(c => c.Backend));
        _custom = [.. custom.Select(c => c.Backend)];
        for (int i = 0; i < _backends.Count; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (Is(_backends[i], _backends[j].Name))
                    throw new ArgumentException($"Two attention backends are named {_backends[i].Name}; names must be unique.", nameof(custom));
            }
        }
    }

    /// <summary>Chooses one backend for all layer groups of a model.</summary>
    /// <exception cref="AttentionNotSupportedException">No candidate fits, or the explicit choice does not; carries all reasons.</exception>
    public (IAttentionBackend Backend, AttentionSelection Selection) Select(
        IReadOnlyList<AttentionSpec> groups, IDevice device, AttentionBackendChoice? choice)
    {
        AttentionKind kind = groups[0].Kind;
        if (choice is { } wish && !_backends.Exists(backend => Is(backend, wish.Name)))
        {
            throw new AttentionNotSupportedException(
                $"The attention backend \"{wish.Name}\" ({wish.Source}) is not known. Known: {string.Join(", ", _backends.Select(b => b.Name))}.");
        }

        IAttentionBackend? chosen = null;
        string reason = string.Empty;
        var refused = new List<RefusedAttentionBackend>();
        for (int i = 0; i < _backends.Count; i++)
        {
            IAttentionBackend backend = _backends[i];
            List<string> reasons = Reasons(backend, groups, device);
            bool wished = choice is null || Is(backend, choice.Value.Name);
            if (chosen is null && wished && reasons.Count == 0)
            {
                chosen = backend;
                reason = choice is { } explicitly ? $"chosen by {explicitly.Source}"
                    : _custom.Contains(backend) ? "first custom backend without a reason against it"
                    : $"first of the {device.Kind} list without a reason against it";
                continue;
            }

            bool isSupported = reasons.Count == 0;
            if (isSupported) reasons = [wished ? "comes later in the order of preference" : $"not the one chosen by {choice!.Value.Source}"];
            refused.Add(new RefusedAttentionBackend(backend.Name, reasons) { IsSupported = isSupported });
        }

        if (chosen is not null)
            return (chosen, new AttentionSelection { Name = chosen.Name, Kind = kind, Reason = reason, Refused = refused });

        IEnumerable<RefusedAttentionBackend> told = choice is { } asked
            ? refused.Where(r => string.Equals(r.Name, asked.Name, StringComparison.OrdinalIgnoreCase)) : refused;
        string[] lines = [.. told.Select(r => $"{r.Name}: {string.Join(", ", r.Reasons)}")];
        string subject = choice is { } named
            ? $"The attention backend {named.Name} ({named.Source}) cannot run this model" : "No attention backend can run this model";
        throw new AttentionNotSupportedException($"{subject} on {device.Name}. {string.Join("; ", lines)}.") { Reasons = lines };
    }

    private static List<string> Reasons(IAttentionBackend backend, IReadOnlyList<AttentionSpec> groups, IDevice device)
    {
        var reasons = new List<string>();
        foreach (AttentionSpec spec in groups)
        {
            foreach (string reason in backend.CheckSupport(spec, device).Reasons)
            {
                if (!reasons.Contains(reason)) reasons.Add(reason);
            }
        }

        return reasons;
    }

    private static bool Is(IAttentionBackend backend, string name) => string.Equals(backend.Name, name, StringComparison.OrdinalIgnoreCase);
}
