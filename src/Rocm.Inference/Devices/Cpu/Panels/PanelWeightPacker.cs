namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Packs checkpoint matrices into a <see cref="PanelWeight"/> or a <see cref="PanelWeightGroup"/>, panels in parallel.</summary>
internal static unsafe class PanelWeightPacker
{
    /// <exception cref="NotSupportedException">An element type that has no panel format.</exception>
    public static PanelWeight Pack(CpuCrew crew, in WeightSource source)
    {
        ReadOnlySpan<WeightSource> members = new(in source);
        PanelLayout layout = WeightSourceChecks.LayoutOf(members);
        return new PanelWeight(layout, PackMembers(crew, layout, members));
    }

    /// <exception cref="NotSupportedException">An element type that has no panel format.</exception>
    public static PanelWeightGroup PackGroup(CpuCrew crew, ReadOnlySpan<WeightSource> members)
    {
        PanelLayout layout = WeightSourceChecks.LayoutOf(members);
        return new PanelWeightGroup(members.Length, layout, PackMembers(crew, layout, members));
    }

    private static PanelStorage PackMembers(CpuCrew crew, PanelLayout layout, ReadOnlySpan<WeightSource> members)
    {
        var parts = new List<PanelPart>();
        var firstParts = new int[members.Length + 1];
        for (int m = 0; m < members.Length; m++)
        {
            foreach (ref readonly WeightMatrix part in members[m].Parts.Span) parts.Add(Part(part));
            firstParts[m + 1] = parts.Count;
        }

        var storage = new PanelStorage(layout, members);
        try
        {
            fixed (PanelPart* table = parts.ToArray())
            {
                fixed (int* first = firstParts)
                {
                    var job = new Job { Parts = table, FirstParts = first, Layout = layout, NumMembers = members.Length, Panels = storage.Panels };
                    using Lock.Scope turn = crew.Enter();
                    crew.ReserveScratch((long)Panel.Width * layout.InputFeatures * sizeof(float));
                    crew.Run(&PackPanels, &job);
                    if (job.ScaleTooLarge)
                        throw new NotSupportedException($"A scale of '{members[0].Parts.Span[0].Name}' or a matrix beside it is 256 or more; the CPU device takes smaller ones.");
                }
            }

            foreach (ref readonly WeightSource member in members)
            {
                foreach (ref readonly WeightMatrix part in member.Parts.Span)
                {
                    GC.KeepAlive(part.Owner);
                    GC.KeepAlive(part.Scales?.Owner);
                }
            }

            return storage;
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }

    private static PanelPart Part(in WeightMatrix matrix) => new()
    {
        Rows = matrix.Rows,
        Address = (byte*)matrix.Address,
        RowStride = matrix.RowStrideBytes,
        ColumnStride = WeightChecks.ColumnStride(matrix),
        DType = matrix.DType,
        Scales = WeightScaleValues.Of(matrix.Scales),
    };

    private static void PackPanels(CpuCrew crew, int worker, Job* job)
    {
        const int PanelsPerClaim = 4;
        byte** rows = stackalloc byte*[Panel.Width];
        byte* scratch = (byte*)crew.Scratch(worker);
        PanelLayout layout = job->Layout;
        int columns = layout.InputFeatures;
        int panels = layout.NumPanels;
        long count = (long)panels * job->NumMembers;
        for (long first = (long)PanelsPerClaim * crew.Claim(); first < count; first = (long)PanelsPerClaim * crew.Claim())
        {
            for (long i = first; i < Math.Min(first + PanelsPerClaim, count); i++)
            {
                int member = (int)(i / panels);
                PanelPart* parts = job->Parts + job->FirstParts[member];
                int numParts = job->FirstParts[member + 1] - job->FirstParts[member];
                PanelRows.Fill(parts, numParts, columns, layout.Format == PanelFormat.F32, i % panels * Panel.Width, scratch, rows);
                byte* panel = job->Panels + (i * layout.PanelBytes);
                if (Panel.IsScaled(layout.Format))
                {
                    if (!ScaledPanelPacker.Pack(layout.Format, parts, numParts, columns, i % panels * Panel.Width, rows, panel)) job->ScaleTooLarge = true;
                }
                else if (layout.Format == PanelFormat.F32)
                {
                    PanelPacker.Pack32((uint**)rows, columns, (uint*)panel);
                }
                else
                {
                    PanelPacker.Pack16((ushort**)rows, columns, (uint*)panel);
                }
            }
        }
    }

    private struct Job
    {
        public PanelPart* Parts;

        /// <summary>[members + 1]: member m has the parts [FirstParts[m], FirstParts[m + 1]).</summary>
        public int* FirstParts;
        public PanelLayout Layout;
        public int NumMembers;
        public byte* Panels;

        /// <summary>Set by any thread.</summary>
        public bool ScaleTooLarge;
    }
}
