namespace Rocm.Inference.Attention;

/// <summary>Kinds of hardware that priority lists tell apart.</summary>
internal enum AttentionDeviceClass
{
    /// <summary>The host's processors.</summary>
    Cpu,

    /// <summary>CDNA: MI200 and later without AITER, or older than what AITER's kernels run on.</summary>
    Cdna,

    /// <summary>CDNA 3 and 4 (gfx942, gfx950) with AITER.</summary>
    CdnaWithAiter,

    /// <summary>RDNA 3, 3.5 and 4.</summary>
    Rdna,

    /// <summary>RDNA 4 (gfx1200, gfx1201) with AITER.</summary>
    Rdna4WithAiter,
}

/// <summary>Puts a device into a class.</summary>
internal static class AttentionDeviceClasses
{
    /// <param name="device">The device.</param>
    /// <param name="hasAiter">Whether AITER's kernels were found.</param>
    public static AttentionDeviceClass Of(IDevice device, bool hasAiter)
    {
        if (device.Kind == DeviceKind.Cpu) return AttentionDeviceClass.Cpu;
        string target = device.Architecture.Split(':')[0];
        if (target is "gfx942" or "gfx950") return hasAiter ? AttentionDeviceClass.CdnaWithAiter : AttentionDeviceClass.Cdna;
        if (target is "gfx1200" or "gfx1201") return hasAiter ? AttentionDeviceClass.Rdna4WithAiter : AttentionDeviceClass.Rdna;

        // gfx1250 is CDNA in spite of its number.
        return target.StartsWith("gfx9", StringComparison.Ordinal) || target == "gfx1250" ? AttentionDeviceClass.Cdna : AttentionDeviceClass.Rdna;
    }
}
