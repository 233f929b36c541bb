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
        if (part.DType is not (DType.BF16 or DType.F16 or DType.F32))
            throw new NotSupportedException($"'{part.Name}' is {part.DType}; the CPU device packs BF16, F16 and F32 weights.");
        if (part.Scales is not null)
            throw new NotSupportedException($"'{part.Name}' is {part.DType} with scales; the CPU device knows scales of 8-bit and 4-bit floats.");
        CheckStrides(part);
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
        _ => PanelFormat.F32,
    };
}
