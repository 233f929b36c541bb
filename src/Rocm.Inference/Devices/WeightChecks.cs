namespace Rocm.Inference.Devices;

/// <summary>Checks that every device makes before it packs weights: matrices that fit together, strides that make sense, scales that lie along the sum.</summary>
internal static class WeightChecks
{
    /// <summary>Columns that have one scale in a packed weight of 8-bit floats.</summary>
    public const int Float8ScaleColumns = 128;

    /// <summary>Columns that have one exponent in a packed weight of 4-bit floats.</summary>
    public const int Float4ScaleColumns = 32;

    /// <summary>Checks the members of a group, or a single weight.</summary>
    /// <param name="members">The weights.</param>
    /// <param name="device">Who packs, for messages: "the CPU device".</param>
    /// <returns>N and K of each member.</returns>
    /// <exception cref="ArgumentException">Members of different shapes, or a matrix that contradicts itself.</exception>
    /// <exception cref="NotSupportedException">An element type or scales that no device packs.</exception>
    public static (int Rows, int Columns) Check(ReadOnlySpan<WeightSource> members, string device)
    {
        if (members.IsEmpty) throw new ArgumentException("A group needs at least one weight.", nameof(members));
        int rows = 0, columns = 0;
        for (int m = 0; m < members.Length; m++)
        {
            ReadOnlySpan<WeightMatrix> parts = members[m].Parts.Span;
            if (parts.IsEmpty) throw new ArgumentException("A weight needs at least one matrix.", nameof(members));
            if (m == 0) columns = parts[0].Columns;
            int sum = 0;
            foreach (ref readonly WeightMatrix part in parts)
            {
                Check(part, columns, device);
                sum = checked(sum + part.Rows);
            }

            if (m == 0) rows = sum;
            if (sum != rows) throw new ArgumentException($"'{parts[0].Name}' has {sum} rows, the first of its group has {rows}.", nameof(members));
            if (members[m].Bias is { } bias && bias.Length != rows)
                throw new ArgumentException($"The bias of '{parts[0].Name}' has {bias.Length} elements, expected {rows}.", nameof(members));
        }

        return (rows, columns);
    }

    /// <summary>Distance between a matrix's columns in bytes; 0 for 4-bit floats, which have none.</summary>
    public static long ColumnStride(in WeightMatrix matrix) =>
        matrix.ColumnStrideBytes != 0 || matrix.DType == DType.F4E2M1 ? matrix.ColumnStrideBytes : matrix.DType.ByteSize();

    private static void Check(in WeightMatrix part, int columns, string device)
    {
        if (part.Columns != columns)
            throw new ArgumentException($"'{part.Name}' has {part.Columns} columns, the matrices beside it have {columns}.", nameof(part));
        if (part.Rows <= 0 || columns <= 0 || part.Address == 0)
            throw new ArgumentException($"'{part.Name}' is empty: {part.Rows} rows of {columns}.", nameof(part));
        if (part.DType is not (DType.BF16 or DType.F16 or DType.F32 or DType.F4E2M1) && !part.DType.IsFloat8())
            throw new NotSupportedException($"'{part.Name}' is {part.DType}; {device} packs floats of 4, 8, 16 and 32 bits.");
        if (part.DType == DType.F4E2M1) CheckFloat4(part, device);
        else CheckStrides(part);
        if (part.DType.IsFloat8() && part.Scales is { } scales) CheckScales(part, scales, Float8ScaleColumns, device);
        else if (part.Scales is not null && part.DType != DType.F4E2M1)
            throw new NotSupportedException($"'{part.Name}' is {part.DType} with scales; {device} knows scales of 8-bit and 4-bit floats.");
    }

    private static void CheckFloat4(in WeightMatrix part, string device)
    {
        if (part.Columns % 2 != 0 || part.ColumnStrideBytes != 0 || part.RowStrideBytes < part.Columns / 2)
            throw new NotSupportedException($"'{part.Name}': rows of 4-bit floats must be contiguous and of even length, found {part.Columns} elements at strides of {part.RowStrideBytes} and {part.ColumnStrideBytes} bytes.");
        if (part.Scales is not { DType: DType.U8 } scales)
            throw new NotSupportedException($"'{part.Name}': 4-bit floats need exponents (U8) as scales, found {part.Scales?.DType.ToString() ?? "none"}.");
        CheckScales(part, scales, Float4ScaleColumns, device);
    }

    /// <summary>Whether elements in a row have one scale for each <paramref name="length"/> of them: all of them one, or blocks that begin with the first and end with multiples of it.</summary>
    /// <param name="first">Where the elements begin in the scaled matrix.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="block">Elements that have a scale in common.</param>
    /// <param name="length">Elements that have one in a packed weight.</param>
    public static bool AreAligned(int first, int count, int block, int length) =>
        first / block == (first + count - 1) / block || (block % length == 0 && first % length == 0);

    // Packed weights have a scale for each row and this many columns, from the first on.
    private static void CheckScales(in WeightMatrix part, WeightScales scales, int length, string device)
    {
        if (scales.Address == 0 || scales.BlockRows <= 0 || scales.BlockColumns <= 0 || scales.FirstRow < 0 || scales.FirstColumn < 0)
            throw new ArgumentException($"The scales of '{part.Name}' are empty.", nameof(part));
        if (scales.DType is not (DType.F32 or DType.BF16 or DType.U8))
            throw new NotSupportedException($"The scales of '{part.Name}' are {scales.DType}; {device} takes F32, BF16 and exponents (U8).");
        if (!AreAligned(scales.FirstColumn, part.Columns, scales.BlockColumns, length))
        {
            throw new NotSupportedException(
                $"'{part.Name}' has scales for blocks of {scales.BlockColumns} columns from {scales.FirstColumn} on; {device} takes multiples of {length} for {part.DType}.");
        }
    }

    // Either rows lie one after the other, or columns do (a transposed view).
    private static void CheckStrides(in WeightMatrix part)
    {
        long size = part.DType.ByteSize(), column = ColumnStride(part), row = part.RowStrideBytes;
        bool rowMajor = column >= size && (part.Rows == 1 || row >= ((part.Columns - 1) * column) + size);
        bool columnMajor = row >= size && column >= ((part.Rows - 1) * row) + size;
        if (!rowMajor && !columnMajor)
            throw new ArgumentException($"Elements of '{part.Name}' overlap: strides of {row} and {column} bytes for {part.Rows} rows of {part.Columns} elements of {part.DType}.", nameof(part));
    }
}
