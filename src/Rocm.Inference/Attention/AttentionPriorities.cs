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

        // Ours. CPU: by the benchmark "backends" (2 threads, AVX-512; 32/4 heads of 128, and 16 latent heads; bf16 cache), time over the best of the row:
        //   decode                    1 x 8192, 8 x 4096, 64 x 1024     the same with blocks of 16    of 64
        //   TRITON_ATTN               1.03  1.00  1.00                  1.04  1.01  1.02              1.06  1.00  1.00
        //   ROCM_AITER_UNIFIED_ATTN   1.00  1.15  1.01                  1.05  1.15  1.01              1.00  1.16  1.01
        //   ROCM_ATTN                 1.39  1.24  1.18
        //   ROCM_AITER_FA             1.41  1.23  1.20
        //   latent, the slowest       1.04  1.02  1.02
        // The first two have one path, which also gives the same bits in chunks and on a cache hit. With equal blocks TRITON_ATTN is ahead, and its blocks of 16
        // (of 64 in the other's own layout) make hits of the prefix cache four times as fine. The three latent ones are level.
        // GPUs: by the blog's figures (ROCM_AITER_FA best or within 6 % of ROCM_AITER_UNIFIED_ATTN with AITER's kernels; the unified kernel with occupancy splits
        // where only kernels of one kind are there).
        new(AttentionPreset.Default, CdnaWithAiter, [Names.RocmAiterFa, Names.RocmAiterUnifiedAttn, Names.TritonAttn, Names.RocmAttn], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
        new(AttentionPreset.Default, Cdna, [Names.RocmAiterUnifiedAttn, Names.RocmAiterFa, Names.TritonAttn, Names.RocmAttn], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
        new(AttentionPreset.Default, Rdna4WithAiter, [Names.RocmAiterUnifiedAttn, Names.TritonAttn, Names.RocmAttn, Names.RocmAiterFa], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
        new(AttentionPreset.Default, Rdna, [Names.RocmAiterUnifiedAttn, Names.TritonAttn, Names.RocmAttn, Names.RocmAiterFa], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
        new(AttentionPreset.Default, Cpu, [Names.TritonAttn, Names.RocmAiterUnifiedAttn, Names.RocmAttn, Names.RocmAiterFa], [Names.RocmAiterMla, Names.RocmAiterTritonMla, Names.TritonMla]),
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
