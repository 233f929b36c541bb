using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.RocmSmi;

/// <summary>What the driver knows of a GPU whoever uses it: memory taken by all processes, clock rates now.</summary>
/// <param name="TotalBytes">Memory of the device.</param>
/// <param name="UsedBytes">Memory taken by all processes.</param>
/// <param name="Clock">Clock of the compute units now and at most, in hertz; null when it cannot be read.</param>
/// <param name="MemoryClock">Clock of the memory now and at most, in hertz; null when it cannot be read.</param>
internal sealed record RocmSmiFacts(long TotalBytes, long UsedBytes, (long Current, long Highest)? Clock, (long Current, long Highest)? MemoryClock);

/// <summary>Reads <see cref="RocmSmiFacts"/> through librocm_smi64. Optional, and it informs only: nothing depends on it.</summary>
internal sealed unsafe class RocmSmiMonitor : IDisposable
{
    private readonly RocmSmiHandle _handle;

    private RocmSmiMonitor(RocmSmiHandle handle) => _handle = handle;

    /// <summary>Opens the library when it is there and works.</summary>
    /// <param name="ledger">Counts the opening.</param>
    /// <param name="reason">Why it did not, as a sentence; empty otherwise.</param>
    internal static RocmSmiMonitor? TryOpen(HandleLedger? ledger, out string reason)
    {
        reason = "";
        LibraryLoad load = RocmLibraryResolver.Load(RocmLibrary.RocmSmi, RocmSearch.FromEnvironment(null));
        if (!load.IsLoaded)
        {
            reason = $"ROCm SMI was not found. Tried: {string.Join("; ", load.Attempts)}";
            return null;
        }

        var handle = new RocmSmiHandle(ledger);
        int status = RocmSmiApi.rsmi_init(0);
        if (status != 0)
        {
            reason = $"{load.Path} cannot be initialized: {Describe(status)}.";
            return null;
        }

        handle.Adopt(1);
        return new RocmSmiMonitor(handle);
    }

    /// <summary>Reads the facts of the device at a place on the PCI bus; null when the driver has none there or does not tell its memory.</summary>
    internal RocmSmiFacts? Read(PciAddress address)
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        uint count;
        if (RocmSmiApi.rsmi_num_monitor_devices(&count) != 0) return null;
        for (uint i = 0; i < count; i++)
        {
            ulong id, total, used;
            if (RocmSmiApi.rsmi_dev_pci_id_get(i, &id) != 0 || AddressOf(id) != address) continue;
            if (RocmSmiApi.rsmi_dev_memory_total_get(i, RocmSmiApi.Vram, &total) != 0) return null;
            if (RocmSmiApi.rsmi_dev_memory_usage_get(i, RocmSmiApi.Vram, &used) != 0) return null;
            return new RocmSmiFacts((long)total, (long)used, Clock(i, RocmSmiClock.System), Clock(i, RocmSmiClock.Memory));
        }

        return null;
    }

    public void Dispose() => _handle.Dispose();

    private static (long Current, long Highest)? Clock(uint index, RocmSmiClock clock)
    {
        byte* buffer = stackalloc byte[RocmSmiFrequencies.BufferBytes];
        new Span<byte>(buffer, RocmSmiFrequencies.BufferBytes).Clear();
        if (RocmSmiApi.rsmi_dev_gpu_clk_freq_get(index, clock, buffer) != 0) return null;
        return RocmSmiFrequencies.Read(new ReadOnlySpan<byte>(buffer, RocmSmiFrequencies.BufferBytes));
    }

    private static PciAddress AddressOf(ulong id) => new((int)(id >> 32), (int)(id >> 8) & 0xff, (int)(id >> 3) & 0x1f);

    private static string Describe(int status)
    {
        byte* text = null;
        string? words = RocmSmiApi.rsmi_status_string(status, &text) == 0 ? Marshal.PtrToStringUTF8((nint)text) : null;
        return words is null ? $"status {status}" : $"{words.TrimEnd('.')} ({status})";
    }
}
