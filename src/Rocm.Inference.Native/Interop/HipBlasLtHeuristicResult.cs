using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>hipblasLtMatmulAlgo_t: 24 opaque bytes with the alignment of a pointer.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HipBlasLtAlgo
{
    internal ulong Data0;
    internal ulong Data1;
    internal nuint MaxWorkspaceBytes;
}

/// <summary>hipblasLtMatmulHeuristicResult_t, 56 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HipBlasLtHeuristicResult
{
    internal HipBlasLtAlgo Algorithm;
    internal nuint WorkspaceBytes;
    internal int State;
    internal float WavesCount;
    internal ReservedInts Reserved;

    [InlineArray(4)]
    internal struct ReservedInts
    {
        private int _first;
    }
}
