using Rocm.Inference.Attention.Backends;

namespace Rocm.Inference.Attention;

/// <summary>An explicit wish for a backend and where it came from ("option AttentionBackend", "environment variable …").</summary>
internal readonly record struct AttentionBackendChoice(string Name, string Source);

/// <summary>
/// Picks the backend for a model on a device: walks the candidates in the order of <see cref="AttentionPriorities"/>, takes the first that has no
/// reason against any layer group, and keeps the reasons of all others. An explicit choice is taken or refused, never replaced.
/// </summary>
internal sealed class AttentionBackendSelector
{
    private readonly IReadOnlyList<IAttentionBackend> _library;
    private readonly IAttentionBackend[] _before;
    private readonly IAttentionBackend[] _after;
    private readonly AttentionPreset _preset;
    private readonly bool _hasAiter;

    /// <param name="custom">The host's own backends; priorities above 0 come before the library's, highest first, others after them.</param>
    /// <param name="preset">Whose order of preference.</param>
    /// <param name="hasAiter">Whether AITER's kernels were found.</param>
    /// <param name="library">The library's backends; null for all.</param>
    public AttentionBackendSelector(
        IReadOnlyList<(IAttentionBackend Backend, int Priority)> custom, AttentionPreset preset = AttentionPreset.Default, bool hasAiter = false,
        IReadOnlyList<IAttentionBackend>? library = null)
    {
        _library = library ?? LibraryBackends.Create();
        _before = [.. custom.Where(c => c.Priority > 0).OrderByDescending(c => c.Priority).Select(c => c.Backend)];
        _after = [.. custom.Where(c => c.Priority <= 0).OrderByDescending(c => c.Priority).Select(c => c.Backend)];
        _preset = preset;
        _hasAiter = hasAiter;
        string? twice = _before.Concat(_library).Concat(_after).GroupBy(b => b.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1)?.Key;
        if (twice is not null) throw new ArgumentException($"Two attention backends are named {twice}; names must be unique.", nameof(custom));
    }

    /// <summary>Chooses one backend for all layer groups of a model.</summary>
    /// <exception cref="AttentionNotSupportedException">No candidate fits, or the explicit choice does not; carries all reasons.</exception>
    public (IAttentionBackend Backend, AttentionSelection Selection) Select(
        IReadOnlyList<AttentionSpec> groups, IDevice device, AttentionBackendChoice? choice)
    {
        AttentionDeviceClass deviceClass = AttentionDeviceClasses.Of(device, _hasAiter);
        IReadOnlyList<string> preferred = AttentionPriorities.List(_preset, deviceClass, groups[0].Kind);
        List<IAttentionBackend> candidates = Candidates(preferred);
        if (choice is { } wish && !candidates.Exists(backend => Is(backend, wish.Name)))
        {
            throw new AttentionNotSupportedException(
                $"The attention backend \"{wish.Name}\" ({wish.Source}) is not known. Known: {string.Join(", ", candidates.Select(b => b.Name))}.");
        }

        IAttentionBackend? chosen = null;
        var refused = new List<RefusedAttentionBackend>();
        foreach (IAttentionBackend backend in candidates)
        {
            List<string> reasons = Reasons(backend, groups, device);
            bool isSupported = reasons.Count == 0;
            if (choice is { } other)
            {
                if (isSupported && !Is(backend, other.Name)) reasons.Add($"not the one chosen by {other.Source}");
            }
            else if (isSupported)
            {
                if (_library.Contains(backend) && !preferred.Contains(backend.Name))
                    reasons.Add($"by name only: not in the list of the preset {_preset} for {deviceClass}");
                else if (AttentionPriorities.PassesOver(_preset, backend.Name, groups) is { } passed) reasons.Add(passed);
                else if (chosen is not null) reasons.Add("comes later in the order of preference");
            }

            if (reasons.Count == 0) chosen = backend;
            else refused.Add(new RefusedAttentionBackend(backend.Name, reasons) { IsSupported = isSupported });
        }

        if (chosen is null) throw Refuse(device, choice, refused);
        string reason = choice is { } explicitly ? $"chosen by {explicitly.Source}"
            : !_library.Contains(chosen) ? "first custom backend without a reason against it"
            : $"first of the {deviceClass} list of the preset {_preset} without a reason against it";
        return (chosen, new AttentionSelection
        {
            Name = chosen.Name,
            Kind = groups[0].Kind,
            Reason = reason,
            Refused = refused,
            Phases = chosen.DescribePhases(groups[0], device),
        });
    }

    /// <summary>All backends: the host's of high priority, the library's in the order of preference, the library's others, the rest of the host's.</summary>
    private List<IAttentionBackend> Candidates(IReadOnlyList<string> preferred)
    {
        List<IAttentionBackend> candidates = [.. _before];
        foreach (string name in preferred) candidates.AddRange(_library.Where(backend => backend.Name == name));
        candidates.AddRange(_library.Where(backend => !preferred.Contains(backend.Name)));
        candidates.AddRange(_after);
        return candidates;
    }

    private static AttentionNotSupportedException Refuse(IDevice device, AttentionBackendChoice? choice, List<RefusedAttentionBackend> refused)
    {
        IEnumerable<RefusedAttentionBackend> told = choice is { } asked
            ? refused.Where(r => string.Equals(r.Name, asked.Name, StringComparison.OrdinalIgnoreCase)) : refused;
        string[] lines = [.. told.Select(r => $"{r.Name}: {string.Join(", ", r.Reasons)}")];
        string subject = choice is { } named
            ? $"The attention backend {named.Name} ({named.Source}) cannot run this model" : "No attention backend can run this model";
        return new AttentionNotSupportedException($"{subject} on {device.Name}. {string.Join("; ", lines)}.") { Reasons = lines };
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
