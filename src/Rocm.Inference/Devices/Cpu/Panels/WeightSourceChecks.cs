namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Checks weights before they are packed and finds their common layout.</summary>
internal static class WeightSourceChecks
{
    /// <exception cref="ArgumentException">Members of different shapes, or a matrix that contradicts itself.</exception>
    /// <exception cref="NotSupportedException">An element type that has no panel format.</exception>
    public static PanelLayout LayoutOf(ReadOnlySpan<WeightSource> members)
    {
        if (members.IsEmpty) throw new ArgumentException("A group needs at least one weight.", nameof(members));
        PanelFormat? format = null;
        int rows = 0, columns = 0;
        for (int m = 0; m < members.Length; m++)
        {
            ReadOnlySpan<WeightMatrix> parts = members[m].Parts.Span;
            if (parts.IsEmpty) throw new ArgumentException("A weight needs at least one matrix.", nameof(members));
            if (m == 0) columns = parts[0].Columns;
            int sum = 0;
            foreach (ref readonly WeightMatrix part in parts)
            {
                Check(part, columns);
                sum = checked(sum + part.Rows);

                // Matrices of different types that are stacked meet in f32, which holds both exactly.
                PanelFormat own = FormatOf(part);
                if (format is { } other && other != own && (Panel.IsScaled(own) || Panel.IsScaled(other)))
                    throw new NotSupportedException($"'{part.Name}' is {part.DType}, a matrix beside it is {other}: pack them apart, or they would be widened in memory.");
                format = format is null || format == own ? own : PanelFormat.F32;
            }

            if (m == 0) rows = sum;
            if (sum != rows) throw new ArgumentException($"'{parts[0].Name}' has {sum} rows, the first of its group has {rows}.", nameof(members));
            if (members[m].Bias is { } bias && bias.Length != rows)
                throw new ArgumentException($"The bias of '{parts[0].Name}' has {bias.Length} elements, expected {rows}.", nameof(members));
        }

        return new PanelLayout(format!.Value, rows, columns);
    }

    private static void Check(in WeightMatrix part, int columns)
    {
        if (part.Columns != columns)
            throw new ArgumentException($"'{part.Name}' has {part.Columns} columns, the matrices beside it have {columns}.", nameof(part));
        if (part.Rows <= 0 || columns <= 0 || part.Address == 0)
            throw new ArgumentException($"'{part.Name}' is empty: {part.Rows} rows of {columns}.", nameof(part));
        if (part.DType is not (DType.BF16 or DType.F16 or DType.F32 or DType.F4E2M1) && !part.DType.IsFloat8())
            throw new NotSupportedException($"'{part.Name}' is {part.DType}; the CPU device packs floats of 4, 8, 16 and 32 bits.");
        if (part.DType == DType.F4E2M1) CheckFloat4(part);
        else CheckStrides(part);
        if (part.DType.IsFloat8() && part.Scales is { } scales) CheckScales(part, scales, Panel.SectionLength);
        else if (part.Scales is not null && part.DType != DType.F4E2M1)
            throw new NotSupportedException($"'{part.Name}' is {part.DType} with scales; the CPU device knows scales of 8-bit and 4-bit floats.");
    }

    private static void CheckFloat4(in WeightMatrix part)
    {
        if (part.Columns % 2 != 0 || part.ColumnStrideBytes != 0 || part.RowStrideBytes < part.Columns / 2)
            throw new NotSupportedException($"'{part.Name}': rows of 4-bit floats must be contiguous and of even length, found {part.Columns} elements at strides of {part.RowStrideBytes} and {part.ColumnStrideBytes} bytes.");
        if (part.Scales is not { DType: DType.U8 } scales)
            throw new NotSupportedException($"'{part.Name}': 4-bit floats need exponents (U8) as scales, found {part.Scales?.DType.ToString() ?? "none"}.");
        CheckScales(part, scales, 32);
    }

    // Panels have a scale for each column and this many elements, from the first on.
    private static void CheckScales(in WeightMatrix part, WeightScales scales, int length)
    {
        if (scales.Address == 0 || scales.BlockRows <= 0 || scales.BlockColumns <= 0 || scales.FirstRow < 0 || scales.FirstColumn < 0)
            throw new ArgumentException($"The scales of '{part.Name}' are empty.", nameof(part));
        if (scales.DType is not (DType.F32 or DType.BF16 or DType.U8))
            throw new NotSupportedException($"The scales of '{part.Name}' are {scales.DType}; the CPU device takes F32, BF16 and exponents (U8).");
        bool oneBlock = scales.FirstColumn / scales.BlockColumns == (scales.FirstColumn + part.Columns - 1) / scales.BlockColumns;
        if (!oneBlock && (scales.BlockColumns % length != 0 || scales.FirstColumn % length != 0))
        {
            throw new NotSupportedException(
                $"'{part.Name}' has scales for blocks of {scales.BlockColumns} columns from {scales.FirstColumn} on; the CPU device takes multiples of {length} for {part.DType}.");
        }
    }

    // Either rows lie one after the other, or columns do (a transposed view).
    private static void CheckStrides(in WeightMatrix part)
    {
        long size = part.DType.ByteSize(), column = part.ColumnStrideBytes == 0 ? size : part.ColumnStrideBytes, row = part.RowStrideBytes;
        bool rowMajor = column >= size && (part.Rows == 1 || row >= ((part.Columns - 1) * column) + size);
        bool columnMajor = row >= size && column >= ((part.Rows - 1) * row) + size;
        if (!rowMajor && !columnMajor)
            throw new ArgumentException($"Elements of '{part.Name}' overlap: strides of {row} and {column} bytes for {part.Rows} rows of {part.Columns} elements of {part.DType}.", nameof(part));
    }

    private static PanelFormat FormatOf(in WeightMatrix part) => part.DType switch
    {
        DType.BF16 => PanelFormat.BF16,
        DType.F16 => PanelFormat.F16,
        DType.F8E4M3Fn or DType.F8E4M3Fnuz => PanelFormat.F8E4M3,
        DType.F8E5M2 => PanelFormat.F8E5M2,
        DType.F4E2M1 => PanelFormat.F4E2M1,
        _ => PanelFormat.F32,
    };
}
