using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>Imports of libhiprtc under their own names; each returns a hiprtcResult.</summary>
internal static unsafe partial class HiprtcApi
{
    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial int hiprtcVersion(int* major, int* minor);
}
