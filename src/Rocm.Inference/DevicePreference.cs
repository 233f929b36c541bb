namespace Rocm.Inference;

/// <summary>Which kind of device a session asks for.</summary>
public enum DevicePreference
{
    /// <summary>The largest GPU if there is a usable one, else the CPU; <see cref="DeviceInfo.Reason"/> says why.</summary>
    Auto,

    /// <summary>The host's processors.</summary>
    Cpu,

    /// <summary>A GPU; loading throws <see cref="DeviceNotAvailableException"/> with everything tried when there is none.</summary>
    Hip,
}
