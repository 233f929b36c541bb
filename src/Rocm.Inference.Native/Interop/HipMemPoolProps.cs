using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>hipMemPoolProps, 88 bytes in every release; ROCm 6 made the first eight reserved ones the pool's maximal size (0: no limit).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HipMemPoolProps
{
    internal int AllocationType;
    internal int HandleTypes;
    internal int LocationType;
    internal int LocationId;
    internal nint SecurityAttributes;
    internal nuint MaxSize;
    internal ReservedBytes Reserved;

    /// <summary>hipMemAllocationTypePinned.</summary>
    internal const int Pinned = 1;

    /// <summary>hipMemLocationTypeDevice.</summary>
    internal const int Device = 1;

    [InlineArray(56)]
    internal struct ReservedBytes
    {
        private byte _first;
    }
}
