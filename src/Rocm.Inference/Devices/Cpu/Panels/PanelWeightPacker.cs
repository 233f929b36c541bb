namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Packs checkpoint matrices into a <see cref="PanelWeight"/>, panels in parallel.</summary>
internal static unsafe class PanelWeightPacker
{
    /// <exception cref="NotSupportedException">An element type that has no panel format.</exception>
    public static PanelWeight Pack(CpuCrew crew, in WeightSource source)
    {
        ReadOnlySpan<WeightMatrix> parts = source.Parts.Span;
        if (parts.IsEmpty) throw new ArgumentException("A weight needs at least one matrix.", nameof(source));
        int columns = parts[0].Columns;
        long rows = 0;
        foreach (ref readonly WeightMatrix part in parts)
        {
            Check(part, columns);
            rows += part.Rows;
        }

        int count = checked((int)rows);
        if (source.Bias is { } bias && bias.Length != count)
            throw new ArgumentException($"The bias of '{parts[0].Name}' has {bias.Length} elements, expected {count}.", nameof(source));

        var weight = new PanelWeight(FormatOf(parts), count, columns, source.Bias);
        try
        {
            Part* table = stackalloc Part[parts.Length];
            for (int i = 0; i < parts.Length; i++)
                table[i] = new Part { Rows = parts[i].Rows, Address = (byte*)parts[i].Address, Stride = parts[i].RowStrideBytes, DType = parts[i].DType };

            var job = new Job { Parts = table, NumParts = parts.Length, Columns = columns, Format = weight.Format, NumPanels = weight.NumPanels, Panels = weight.Panels, PanelBytes = weight.PanelBytes };
            using Lock.Scope turn = crew.Enter();
            if (weight.Format == PanelFormat.F32) crew.ReserveScratch((long)Panel.Width * columns * sizeof(float));
            crew.Run(&PackPanels, &job);
            foreach (ref readonly WeightMatrix part in parts) GC.KeepAlive(part.Owner);
            return weight;
        }
        catch
        {
            weight.Dispose();
            throw;
        }
    }

    private static void Check(in WeightMatrix part, int columns)
    {
        if (part.Columns != columns)
            throw new ArgumentException($"'{part.Name}' has {part.Columns} columns, the matrices stacked with it have {columns}.", nameof(part));
        if (part.Rows <= 0 || columns <= 0 || part.Address == 0)
            throw new ArgumentException($"'{part.Name}' is empty: {part.Rows} rows of {columns}.", nameof(part));
        if (part.RowStrideBytes < (long)columns * part.DType.ByteSize())
            throw new ArgumentException($"Rows of '{part.Name}' overlap: stride {part.RowStrideBytes} bytes for {columns} elements of {part.DType}.", nameof(part));
        if (part.DType is not (DType.BF16 or DType.F16 or DType.F32))
            throw new NotSupportedException($"'{part.Name}' is {part.DType}; the CPU device packs BF16, F16 and F32 weights.");
    }

    // Matrices of different types that are stacked meet in f32, which holds both exactly.
    private static PanelFormat FormatOf(ReadOnlySpan<WeightMatrix> parts)
    {
        DType type = parts[0].DType;
        foreach (ref readonly WeightMatrix part in parts)
        {
            if (part.DType != type) return PanelFormat.F32;
        }

        return type switch { DType.BF16 => PanelFormat.BF16, DType.F16 => PanelFormat.F16, _ => PanelFormat.F32 };
    }

    private static void PackPanels(CpuCrew crew, int worker, Job* job)
    {
        const int PanelsPerClaim = 4;
        byte** rows = stackalloc byte*[Panel.Width];
        float* widened = (float*)crew.Scratch(worker);
        for (int first = crew.Claim(PanelsPerClaim); first < job->NumPanels; first = crew.Claim(PanelsPerClaim))
        {
            for (int p = first; p < Math.Min(first + PanelsPerClaim, job->NumPanels); p++)
            {
                for (int j = 0; j < Panel.Width; j++) rows[j] = Row(job, ((long)p * Panel.Width) + j, widened + ((long)j * job->Columns));
                var panel = (uint*)(job->Panels + (p * job->PanelBytes));
                if (job->Format == PanelFormat.F32) PanelPacker.Pack32((uint**)rows, job->Columns, panel);
                else PanelPacker.Pack16((ushort**)rows, job->Columns, panel);
            }
        }
    }

    /// <summary>Address of a row in the panel's element type, widened into <paramref name="scratch"/> where the types differ.</summary>
    private static byte* Row(Job* job, long row, float* scratch)
    {
        for (int i = 0; i < job->NumParts; i++)
        {
            ref readonly Part part = ref job->Parts[i];
            if (row >= part.Rows)
            {
                row -= part.Rows;
                continue;
            }

            byte* address = part.Address + (row * part.Stride);
            if (job->Format != PanelFormat.F32 || part.DType == DType.F32) return address;
            for (int k = 0; k < job->Columns; k++)
                scratch[k] = part.DType == DType.BF16 ? BitConverter.UInt32BitsToSingle((uint)((ushort*)address)[k] << 16) : (float)((Half*)address)[k];
            return (byte*)scratch;
        }

        return null;
    }

    private struct Part
    {
        public long Rows;
        public byte* Address;
        public long Stride;
        public DType DType;
    }

    private struct Job
    {
        public Part* Parts;
        public int NumParts;
        public int Columns;
        public PanelFormat Format;
        public int NumPanels;
        public byte* Panels;
        public long PanelBytes;
    }
}
