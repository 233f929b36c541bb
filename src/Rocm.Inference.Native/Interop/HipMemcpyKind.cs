namespace Rocm.Inference.Native.Interop;

/// <summary>hipMemcpyKind.</summary>
internal enum HipMemcpyKind
{
    HostToHost = 0,
    HostToDevice = 1,
    DeviceToHost = 2,
    DeviceToDevice = 3,
}
