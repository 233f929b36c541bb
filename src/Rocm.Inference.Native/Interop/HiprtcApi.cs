using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

/// <summary>Imports of libhiprtc under their own names; each returns a hiprtcResult.</summary>
internal static unsafe partial class HiprtcApi
{
    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial int hiprtcVersion(int* major, int* minor);

    /// <summary>Static text owned by the library.</summary>
    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial byte* hiprtcGetErrorString(int result);

    [LibraryImport(RocmLibrary.HiprtcName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int hiprtcCreateProgram(nint* program, string source, string name, int headerCount, byte** headers, byte** includeNames);

    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial int hiprtcDestroyProgram(nint* program);

    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial int hiprtcCompileProgram(HiprtcProgramHandle program, int optionCount, byte** options);

    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial int hiprtcGetProgramLogSize(HiprtcProgramHandle program, nuint* bytes);

    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial int hiprtcGetProgramLog(HiprtcProgramHandle program, byte* log);

    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial int hiprtcGetCodeSize(HiprtcProgramHandle program, nuint* bytes);

    [LibraryImport(RocmLibrary.HiprtcName)]
    internal static partial int hiprtcGetCode(HiprtcProgramHandle program, byte* code);
}
