using System.Globalization;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>What a code object's metadata says of a kernel (LLVM's AMDGPUUsage, code object metadata).</summary>
internal sealed record KernelFacts
{
    public required string Name { get; init; }

    /// <summary>Vector registers of a lane, accumulation registers included where they are of the same file.</summary>
    public required int Vgprs { get; init; }

    public required int Sgprs { get; init; }

    /// <summary>Vector registers that live in memory.</summary>
    public required int VgprSpills { get; init; }

    /// <summary>Scalar registers that live in lanes of vector registers (in memory only where there is scratch).</summary>
    public required int SgprSpills { get; init; }

    /// <summary>Scratch memory of a lane in bytes.</summary>
    public required int ScratchBytes { get; init; }

    /// <summary>Static local memory of a group in bytes.</summary>
    public required int LdsBytes { get; init; }

    public required int WaveSize { get; init; }

    /// <summary>Most threads of a group.</summary>
    public required int Threads { get; init; }

    /// <summary>
    /// Waves that a SIMD can hold, by vector registers and static local memory. CDNA: 512 registers of a lane in granules of 8, 8 waves, 64 KiB for
    /// 4 SIMDs. RDNA 3 and 4: 1536 registers of a lane of 32 in granules of 24, 16 waves, 128 KiB for the 4 SIMDs of a work group processor.
    /// </summary>
    public int Occupancy(string target)
    {
        bool isCdna = target.StartsWith("gfx9", StringComparison.Ordinal);
        (int registers, int granule, int most, int lds) = isCdna ? (512, 8, 8, 64 << 10) : (1536, 24, 16, 128 << 10);
        int byRegisters = Math.Min(most, registers / Math.Max(granule, (Vgprs + granule - 1) / granule * granule));
        if (LdsBytes == 0) return byRegisters;
        int wavesOfGroup = (Threads + WaveSize - 1) / WaveSize;
        return Math.Min(byRegisters, lds / LdsBytes * wavesOfGroup / 4);
    }

    /// <summary>Reads the kernels of a code object.</summary>
    public static IReadOnlyList<KernelFacts> Read(string file)
    {
        var kernels = new List<KernelFacts>();
        Dictionary<string, string>? fields = null;
        foreach (string line in Tool.Run("llvm-readelf-19", "--notes", file).Split('\n'))
        {
            // A kernel's fields are indented by four; its arguments, a list, lie deeper.
            bool isFirst = line.StartsWith("  - .", StringComparison.Ordinal);
            if (isFirst)
            {
                if (fields is not null) kernels.Add(Make(fields));
                fields = [];
            }
            else if (!line.StartsWith("    .", StringComparison.Ordinal))
            {
                if (line.Length > 0 && line[0] is not ' ' && fields is not null)
                {
                    kernels.Add(Make(fields));
                    fields = null;
                }

                continue;
            }

            string[] parts = line.TrimStart(' ', '-').Split(':', 2);
            fields?.TryAdd(parts[0], parts[1].Trim());
        }

        if (fields is not null) kernels.Add(Make(fields));
        return kernels;
    }

    private static KernelFacts Make(Dictionary<string, string> fields)
    {
        int Number(string name) => fields.TryGetValue(name, out string? text) ? int.Parse(text, CultureInfo.InvariantCulture) : 0;
        return new KernelFacts
        {
            Name = fields[".name"],
            Vgprs = Number(".vgpr_count"),
            Sgprs = Number(".sgpr_count"),
            VgprSpills = Number(".vgpr_spill_count"),
            SgprSpills = Number(".sgpr_spill_count"),
            ScratchBytes = Number(".private_segment_fixed_size"),
            LdsBytes = Number(".group_segment_fixed_size"),
            WaveSize = Number(".wavefront_size"),
            Threads = Number(".max_flat_workgroup_size"),
        };
    }
}
