using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>Rows of a table that is packed for <see cref="Linear"/>: a row is one column of a panel, read at the panel's stride.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void Embedding(DeviceContext context, TensorView ids, PackedWeight table, float scale, TensorView y)
    {
        if (table is not PanelWeight panels)
            throw new ArgumentException($"The table was packed by another device ({table.GetType().Name}).", nameof(table));
        if (Panel.IsScaled(panels.Layout.Format))
            throw new NotSupportedException($"The table is {panels.Layout.Format} with scales; embeddings are read from BF16, F16 and F32 tables.");
        CpuOperand output = CpuOperand.Of(y);
        output.Expect(ids.Count, table.InputFeatures);
        int* rows = CpuOperand.Indices(ids, output.Rows);
        for (long t = 0; t < output.Rows; t++)
        {
            if ((uint)rows[t] >= (uint)table.OutputFeatures)
                throw new ArgumentOutOfRangeException(nameof(ids), rows[t], $"Token ids must be in [0, {table.OutputFeatures}).");
        }

        var job = new EmbeddingJob { Ids = rows, Y = output, Panels = panels.Panels, PanelBytes = panels.Layout.PanelBytes, Format = panels.Layout.Format, Scale = scale };
        crew.Run(&ReadRows, &job, IsSmall(output.Rows, output.Columns));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ReadRows(CpuCrew crew, int worker, EmbeddingJob* job)
    {
        (long first, long end) = Share(crew, worker, job->Y.Rows);
        for (long t = first; t < end; t++)
        {
            int id = job->Ids[t];
            byte* panel = job->Panels + (id / Panel.Width * job->PanelBytes);
            int column = id % Panel.Width;
            float* y = job->Y.Row(t);
            for (int k = 0; k < job->Y.Columns; k++) y[k] = Element(job->Format, panel, column, k) * job->Scale;
        }
    }

    private static float Element(PanelFormat format, byte* panel, int column, int k)
    {
        if (format == PanelFormat.F32) return ((float*)panel)[((long)k * Panel.Width) + column];
        ushort bits = ((ushort*)panel)[((((long)(k >> 1) * Panel.Width) + column) * 2) + (k & 1)];
        return format == PanelFormat.BF16 ? BitConverter.UInt32BitsToSingle((uint)bits << 16) : (float)BitConverter.UInt16BitsToHalf(bits);
    }

    private struct EmbeddingJob
    {
        public int* Ids;
        public CpuOperand Y;
        public byte* Panels;
        public long PanelBytes;
        public PanelFormat Format;
        public float Scale;
    }
}
