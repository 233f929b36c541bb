using static Rocm.Inference.Attention.AttentionDeviceClass;
using Names = Rocm.Inference.AttentionBackendNames;

namespace Rocm.Inference.Attention;

/// <summary>
/// The orders of preference, as data: the first backend of a list without a reason against it is taken. Backends that a preset does not list are
/// taken by name only. Sources: vLLM's blog of 2026-02-27 and its source of 2026-01-15 (blog era) and 2026-08-07 (newest).
/// </summary>
internal static class AttentionPriorities
{
    private static readonly Entry[] Lists =
    [
        // Blog era: one answer per case; TRITON_* where AITER is absent or switched off.
        new(AttentionPreset.VllmBlogEra, CdnaWithAiter, [Names.RocmAiterFa, Names.TritonAttn], [Names.RocmAiterMla, Names.TritonMla]),
        new(AttentionPreset.VllmBlogEra, Cdna, [Names.TritonAttn], [Names.TritonMla]),
        new(AttentionPreset.VllmBlogEra, Rdna4WithAiter, [Names.TritonAttn], [Names.TritonMla]),
        new(AttentionPreset.VllmBlogEra, Rdna, [Names.TritonAttn], [Names.TritonMla]),
        new(AttentionPreset.VllmBlogEra, Cpu, [Names.TritonAttn], [Names.TritonMla]),

        // Newest: ROCM_ATTN first nearly everywhere.
        new(AttentionPreset.VllmNewest, CdnaWithAiter, [Names.RocmAttn, Names.RocmAiterFa, Names.RocmAiterUnifiedAttn, Names.TritonAttn], [Names.RocmAiterMla, Names.TritonMla, Names.RocmAiterTritonMla]),
        new(AttentionPreset.VllmNewest, Cdna, [Names.RocmAttn, Names.TritonAttn], [Names.TritonMla]),
        new(AttentionPreset.VllmNewest, Rdna4WithAiter, [Names.RocmAiterUnifiedAttn, Names.RocmAttn, Names.TritonAttn], [Names.TritonMla]),
        new(AttentionPreset.VllmNewest, Rdna, [Names.RocmAttn, Names.TritonAttn], [Names.TritonMla]),
        new(AttentionPreset.VllmNewest, Cpu, [Names.RocmAttn, Names.TritonAttn], [Names.TritonMla]),

        // Ours. GPUs: by the blog's figures (ROCM_AITER_FA best or within 6 % of ROCM_AITER_UNIFIED_ATTN with AITER's kernels; the unified kernel with
        // occupancy splits where only kernels of one kind are there).
        new(AttentionPreset.Default, CdnaWithAiter, [Names.RocmAiterFa, Names.RocmAiterUnifiedAttn, Names.TritonAttn, Names.RocmAttn], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
        new(AttentionPreset.Default, Cdna, [Names.RocmAiterUnifiedAttn, Names.RocmAiterFa, Names.TritonAttn, Names.RocmAttn], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
        new(AttentionPreset.Default, Rdna4WithAiter, [Names.RocmAiterUnifiedAttn, Names.TritonAttn, Names.RocmAttn, Names.RocmAiterFa], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
        new(AttentionPreset.Default, Rdna, [Names.RocmAiterUnifiedAttn, Names.TritonAttn, Names.RocmAttn, Names.RocmAiterFa], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
        new(AttentionPreset.Default, Cpu, [Names.TritonAttn, Names.RocmAiterUnifiedAttn, Names.RocmAttn, Names.RocmAiterFa], [Names.TritonMla, Names.RocmAiterMla, Names.RocmAiterTritonMla]),
    ];

    /// <summary>Names in the order of preference.</summary>
    public static IReadOnlyList<string> List(AttentionPreset preset, AttentionDeviceClass device, AttentionKind kind)
    {
        Entry entry = Array.Find(Lists, e => e.Preset == preset && e.Device == device)
            ?? throw new ArgumentOutOfRangeException(nameof(preset), preset, $"No order of preference is known for {device}.");
        return kind == AttentionKind.Mla ? entry.Mla : entry.Mha;
    }

    /// <summary>Why a preset passes a backend over that would support the model, or null: what vLLM's own backend of that name refuses.</summary>
    public static string? PassesOver(AttentionPreset preset, string name, IReadOnlyList<AttentionSpec> groups) =>
        preset == AttentionPreset.VllmNewest && name == Names.RocmAttn && groups.Any(spec => spec.HasSinks)
            ? $"passed over by the preset {preset} for models with attention sinks" : null;

    private sealed record Entry(AttentionPreset Preset, AttentionDeviceClass Device, string[] Mha, string[] Mla);
}
