namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// The plan of a persistent kernel in device memory, of fixed size for a number of rows whatever their lengths: sections 4 and 5.8 of AITER's binary interface,
/// with a count of partial results for each row in place of its maps for the reduce.
/// </summary>
/// <param name="address">Where it begins.</param>
/// <param name="numRows">Rows.</param>
/// <param name="workers">Blocks of the grid, at least as many as KV heads.</param>
/// <param name="kvHeads">KV heads.</param>
internal readonly struct AiterWorkTable(nint address, int numRows, int workers, int kvHeads)
{
    private const int Alignment = 64;
    private const int ItemWords = 8;
    private const int AddressBytes = 2 * sizeof(long);

    public int NumRows => numRows;

    public int Workers => workers;

    public int KvHeads => kvHeads;

    /// <summary>Two addresses of 64 bits: of the next two.</summary>
    public nint Addresses => address;

    /// <summary>int32 [workers + 1].</summary>
    public nint WorkOffsets => address + AddressBytes;

    /// <summary>int32 [items, 8].</summary>
    public nint Items => address + Aligned(AddressBytes + ((workers + 1L) * sizeof(int)));

    public nint FirstGranules => Items + Aligned(ItemBytes(numRows, workers, kvHeads));

    /// <summary>int32 [rows + 1].</summary>
    public nint FirstPages => FirstGranules + RowBytes(numRows);

    public nint FirstSegments => FirstPages + RowBytes(numRows);

    /// <summary>int32 [rows + 1]: partial results of the rows.</summary>
    public nint FirstParts => FirstSegments + RowBytes(numRows);

    /// <summary>Memory of a plan.</summary>
    public static long Bytes(int numRows, int workers, int kvHeads) =>
        Aligned(AddressBytes + ((workers + 1L) * sizeof(int))) + Aligned(ItemBytes(numRows, workers, kvHeads)) + (4L * RowBytes(numRows));

    /// <summary>Partial results of a KV head at most: a block begins at most one stretch inside a context, and a context that is cut is in two parts at least.</summary>
    public static int MaxParts(int numRows, int workers, int kvHeads)
    {
        int cuts = (workers / kvHeads) - 1;
        return (int)Math.Min((long)numRows + cuts, 2L * cuts);
    }

    private static long ItemBytes(int numRows, int workers, int kvHeads) => ((long)numRows + (workers / kvHeads)) * kvHeads * ItemWords * sizeof(int);

    private static nint RowBytes(int numRows) => Aligned((numRows + 1L) * sizeof(int));

    private static nint Aligned(long bytes) => (nint)((bytes + Alignment - 1) & -Alignment);
}
