namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// The table of tokens of some rows in device memory: what AITER's MLA kernels want in place of a block table, the same for all layers of a step. Offsets of the
/// rows, int32 [rows + 1]; ones, [rows]; the cache row of every token, packed.
/// </summary>
/// <param name="address">Where it begins.</param>
/// <param name="numRows">Rows that it has room for.</param>
internal readonly struct AiterLatentTable(nint address, int numRows)
{
    private const int Alignment = 64;

    public nint KvOffsets => address;

    public nint PageLengths => address + ((numRows + 1) * sizeof(int));

    public nint KvRows => address + OffsetBytes(numRows);

    /// <summary>Room for rows of so many tokens.</summary>
    public static long Bytes(int numRows, int maxSeqLen) => OffsetBytes(numRows) + ((long)numRows * maxSeqLen * sizeof(int));

    private static int OffsetBytes(int numRows) => ((((2 * numRows) + 1) * sizeof(int)) + Alignment - 1) & -Alignment;
}
