namespace Rocm.Inference.Native.Aiter;

/// <summary>The two chips with the architecture gfx942. Their flash kernels differ in how blocks are dealt to the dies.</summary>
internal enum AiterChip
{
    Mi300,
    Mi308,
}

internal static class AiterChips
{
    private const int Mi308ComputeUnits = 80;

    /// <summary>The chip, by its PCI identity, as AITER decides since March 2026; by the number of compute units, as before, where that is unknown.</summary>
    /// <param name="pciChipId">PCI device identity, or 0 when the runtime does not say.</param>
    /// <param name="computeUnits">Of the device.</param>
    internal static AiterChip Of(int pciChipId, int computeUnits) => pciChipId switch
    {
        0x74a2 or 0x74a8 or 0x74b6 or 0x74bc => AiterChip.Mi308,
        0 when computeUnits == Mi308ComputeUnits => AiterChip.Mi308,
        _ => AiterChip.Mi300,
    };

    /// <summary>Folder below that of the family in which the chip's objects lie; empty for families that do not tell chips apart.</summary>
    internal static string FolderOf(AiterChip chip, AiterFamily family, string target) =>
        family != AiterFamily.FlashForward || target != "gfx942" ? "" : chip == AiterChip.Mi308 ? "MI308" : "MI300";
}
