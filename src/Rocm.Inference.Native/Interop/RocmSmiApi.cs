using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>Imports of librocm_smi64 under their own names; each returns an rsmi_status_t.</summary>
internal static unsafe partial class RocmSmiApi
{
    /// <summary>RSMI_MEM_TYPE_VRAM.</summary>
    internal const int Vram = 0;

    [LibraryImport(RocmLibrary.RocmSmiName)]
    internal static partial int rsmi_init(ulong flags);

    [LibraryImport(RocmLibrary.RocmSmiName)]
    internal static partial int rsmi_shut_down();

    /// <summary>Writes a static text owned by the library.</summary>
    [LibraryImport(RocmLibrary.RocmSmiName)]
    internal static partial int rsmi_status_string(int status, byte** text);

    [LibraryImport(RocmLibrary.RocmSmiName)]
    internal static partial int rsmi_num_monitor_devices(uint* count);

    /// <summary>Domain in bits 32 up, bus in 8 to 15, device in 3 to 7, function in 0 to 2.</summary>
    [LibraryImport(RocmLibrary.RocmSmiName)]
    internal static partial int rsmi_dev_pci_id_get(uint index, ulong* id);

    [LibraryImport(RocmLibrary.RocmSmiName)]
    internal static partial int rsmi_dev_memory_total_get(uint index, int memoryType, ulong* bytes);

    [LibraryImport(RocmLibrary.RocmSmiName)]
    internal static partial int rsmi_dev_memory_usage_get(uint index, int memoryType, ulong* bytes);

    /// <summary>Fills an rsmi_frequencies_t, whose layout changed with ROCm 6: see <see cref="RocmSmiFrequencies"/>.</summary>
    [LibraryImport(RocmLibrary.RocmSmiName)]
    internal static partial int rsmi_dev_gpu_clk_freq_get(uint index, RocmSmiClock clock, byte* frequencies);
}

/// <summary>rsmi_clk_type_t.</summary>
internal enum RocmSmiClock
{
    System = 0,
    Memory = 4,
}
