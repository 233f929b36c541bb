using System.Buffers.Binary;

namespace Rocm.Inference.Native.Hip;

/// <summary>What the ELF header of a code object says: the architecture it is for and the version of the format (AMDGPU ABI, LLVM's AMDGPUUsage).</summary>
/// <param name="Target">"gfx942", "gfx9-4-generic"; null when it is no ELF code object or the number is unknown.</param>
/// <param name="Version">3 to 6, or 0 when it is no ELF code object.</param>
internal readonly record struct HipCodeObject(string? Target, int Version)
{
    private const int HeaderBytes = 64;
    private const int AbiVersionOffset = 8;
    private const int FlagsOffset = 48;
    private const int MachineOffset = 18;
    private const int AmdGpuMachine = 224;

    internal static HipCodeObject Read(ReadOnlySpan<byte> image)
    {
        if (image.Length < HeaderBytes || !image.StartsWith("\u007fELF"u8)) return default;
        if (BinaryPrimitives.ReadUInt16LittleEndian(image[MachineOffset..]) != AmdGpuMachine) return default;
        // ABI version 1 is format 3, and so on.
        return new HipCodeObject(TargetOf(BinaryPrimitives.ReadUInt32LittleEndian(image[FlagsOffset..]) & 0xff), image[AbiVersionOffset] + 2);
    }

    /// <summary>Sentences on why a runtime may have refused it.</summary>
    internal string Explain(HipDeviceInfo device, Version runtime)
    {
        if (Version == 0) return "The bytes are not an ELF code object for AMD GPUs.";
        string found = $"The code object is for {Target ?? "an unknown architecture"}, in format version {Version}; the device is {device.Architecture ?? "of unknown architecture"}, the runtime HIP {runtime}.";
        if (Target is not null && device.Target is not null && Target != device.Target && !Target.EndsWith("-generic", StringComparison.Ordinal))
            return found + " It was built for another architecture.";
        int newest = NewestFormat(runtime);
        return Version > newest ? $"{found} This ROCm reads formats up to {newest}: it is too old." : found;
    }

    // Format 5 came with ROCm 5.5 (default in 6.0), format 6 with ROCm 6.3.
    private static int NewestFormat(Version runtime) => runtime switch
    {
        { Major: < 5 } or { Major: 5, Minor: < 5 } => 4,
        { Major: 5 } or { Major: 6, Minor: < 3 } => 5,
        _ => 6,
    };

    private static string? TargetOf(uint machine) => machine switch
    {
        0x2c => "gfx900",
        0x2f => "gfx906",
        0x30 => "gfx908",
        0x3f => "gfx90a",
        0x40 => "gfx940",
        0x4b => "gfx941",
        0x4c => "gfx942",
        0x4f => "gfx950",
        0x36 => "gfx1030",
        0x37 => "gfx1031",
        0x38 => "gfx1032",
        0x45 => "gfx1036",
        0x41 => "gfx1100",
        0x46 => "gfx1101",
        0x47 => "gfx1102",
        0x44 => "gfx1103",
        0x43 => "gfx1150",
        0x4a => "gfx1151",
        0x55 => "gfx1152",
        0x48 => "gfx1200",
        0x4e => "gfx1201",
        0x51 => "gfx9-generic",
        0x52 => "gfx10-1-generic",
        0x53 => "gfx10-3-generic",
        0x54 => "gfx11-generic",
        0x59 => "gfx12-generic",
        0x5f => "gfx9-4-generic",
        _ => null,
    };
}
