using System.Text;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>Asks the loaded HIP runtime about its versions and devices.</summary>
internal static unsafe class HipDeviceQuery
{
    private const int NameCapacity = 256;

    // Device identities of AMD's GPUs are above this, and what else these attributes mean in other releases is below.
    private const int MinPciChipId = 0x1000;

    // hipDeviceAttributePciChipId of ROCm 7: headers have it at 10020, and there are programs that know it as 10019, where others have a register count.
    private static ReadOnlySpan<int> PciChipIdAttributes => [10020, 10019];

    /// <summary>Version of the HIP runtime library.</summary>
    internal static Version RuntimeVersion()
    {
        int version;
        HipStatus.ThrowIfFailed(HipApi.hipRuntimeGetVersion(&version));
        return ToVersion(version);
    }

    /// <summary>Version of hipRTC.</summary>
    /// <returns>Null when it does not answer.</returns>
    internal static Version? HiprtcVersion()
    {
        int major, minor;
        return HiprtcApi.hiprtcVersion(&major, &minor) == 0 && major >= 0 && minor >= 0 ? new Version(major, minor) : null;
    }

    /// <summary>Everything about one device.</summary>
    /// <param name="load">The loaded runtime, asked which layout of the properties it has.</param>
    /// <param name="device">Ordinal, below the runtime's count.</param>
    /// <exception cref="HipException">A query failed.</exception>
    internal static HipDeviceInfo Describe(LibraryLoad load, int device)
    {
        nuint memory;
        HipStatus.ThrowIfFailed(HipApi.hipDeviceTotalMem(&memory, device), device);
        return new HipDeviceInfo
        {
            Ordinal = device,
            Name = NameOf(device),
            Architecture = ArchitectureOf(load, device),
            MemoryBytes = (long)memory,
            IsIntegrated = Attribute(HipDeviceAttribute.Integrated, device) != 0,
            ComputeUnits = Attribute(HipDeviceAttribute.MultiprocessorCount, device),
            WaveSize = Attribute(HipDeviceAttribute.WarpSize, device),
            LdsBytesPerBlock = Attribute(HipDeviceAttribute.MaxSharedMemoryPerBlock, device),
            MaxThreadsPerBlock = Attribute(HipDeviceAttribute.MaxThreadsPerBlock, device),
            MaxThreadsPerComputeUnit = AttributeOr(0, HipDeviceAttribute.MaxThreadsPerMultiprocessor, device),
            L2CacheBytes = AttributeOr(0, HipDeviceAttribute.L2CacheSize, device),
            ClockKilohertz = AttributeOr(0, HipDeviceAttribute.ClockRate, device),
            MemoryClockKilohertz = AttributeOr(0, HipDeviceAttribute.MemoryClockRate, device),
            MemoryBusBits = AttributeOr(0, HipDeviceAttribute.MemoryBusWidth, device),
            SupportsMemoryPools = HipExports.Pools.All(load.HasExport) && AttributeOr(0, HipDeviceAttribute.MemoryPoolsSupported, device) != 0,
            PciChipId = PciChipIdOf(device),
            Pci = PciOf(device),
        };
    }

    /// <summary>Decodes major * 10000000 + minor * 100000 + patch.</summary>
    internal static Version ToVersion(int version) =>
        version <= 0 ? new Version(0, 0) : new Version(version / 10_000_000, version / 100_000 % 100, version % 100_000);

    private static string NameOf(int device)
    {
        byte* name = stackalloc byte[NameCapacity];
        HipStatus.ThrowIfFailed(HipApi.hipDeviceGetName(name, NameCapacity, device), device);
        var text = new ReadOnlySpan<byte>(name, NameCapacity);
        int end = text.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? text : text[..end]);
    }

    private static string? ArchitectureOf(LibraryLoad load, int device)
    {
        byte* properties = stackalloc byte[HipDeviceProperties.BufferBytes];
        new Span<byte>(properties, HipDeviceProperties.BufferBytes).Clear();
        int offset;
        if (load.HasExport(nameof(HipApi.hipGetDevicePropertiesR0600)))
        {
            HipStatus.ThrowIfFailed(HipApi.hipGetDevicePropertiesR0600(properties, device), device);
            offset = HipDeviceProperties.ArchitectureOffsetR0600;
        }
        else if (load.HasExport(nameof(HipApi.hipGetDeviceProperties)))
        {
            HipStatus.ThrowIfFailed(HipApi.hipGetDeviceProperties(properties, device), device);
            offset = HipDeviceProperties.ArchitectureOffsetR0000;
        }
        else
        {
            return null;
        }

        return HipDeviceProperties.ReadArchitecture(new ReadOnlySpan<byte>(properties, HipDeviceProperties.BufferBytes), offset);
    }

    private static PciAddress? PciOf(int device)
    {
        int domain = AttributeOr(-1, HipDeviceAttribute.PciDomainId, device);
        int bus = AttributeOr(-1, HipDeviceAttribute.PciBusId, device), slot = AttributeOr(-1, HipDeviceAttribute.PciDeviceId, device);
        return domain < 0 || bus < 0 || slot < 0 ? null : new PciAddress(domain, bus, slot);
    }

    private static int PciChipIdOf(int device)
    {
        foreach (int attribute in PciChipIdAttributes)
            if (AttributeOr(0, (HipDeviceAttribute)attribute, device) is >= MinPciChipId and <= ushort.MaxValue and int chip) return chip;
        return 0;
    }

    /// <summary>For what only informs: an older runtime, or a virtual device, need not know it.</summary>
    private static int AttributeOr(int unknown, HipDeviceAttribute attribute, int device)
    {
        int value;
        if (HipApi.hipDeviceGetAttribute(&value, attribute, device) == HipStatus.Success) return value;
        _ = HipApi.hipGetLastError();
        return unknown;
    }

    private static int Attribute(HipDeviceAttribute attribute, int device)
    {
        int value;
        HipStatus.ThrowIfFailed(HipApi.hipDeviceGetAttribute(&value, attribute, device), device);
        return value;
    }
}
