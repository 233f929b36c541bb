using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>Every expert's product with the rows that were assigned to it.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void GroupedLinear(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView offsets, TensorView order, int topK, TensorView y)
    {
        PanelWeightGroup group = PanelsOf(weights);
        CpuOperand input = CpuOperand.Of(x), output = CpuOperand.Of(y);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(topK);
        int rows = checked((int)output.Rows);
        output.Expect(rows, group.OutputFeatures);
        if (order.IsAbsent && topK != 1)
            throw new ArgumentException($"Without an order row i is row i of x: topK must be 1, found {topK}.", nameof(topK));
        if (input.Columns != group.InputFeatures || input.Rows * topK != rows)
            throw new ArgumentException($"Expected {rows} / {topK} rows of {group.InputFeatures} elements, found {input.Rows} of {input.Columns}.", nameof(x));

        int* starts = CpuOperand.Indices(offsets, group.Count + 1L);
        int* assignments = order.IsAbsent ? null : CpuOperand.Indices(order, rows);
        CheckOffsets(starts, group.Count, rows);
        for (int i = 0; assignments != null && i < rows; i++)
        {
            if ((uint)assignments[i] >= (uint)rows)
                throw new ArgumentOutOfRangeException(nameof(order), assignments[i], $"Assignments must be in [0, {rows}).");
        }

        if (rows == 0) return;
        var job = new GroupJob { X = input, Y = output, Rows = rows, Order = assignments, TopK = topK };
        RunGroups(&job, group, starts);
    }

    private static PanelWeightGroup PanelsOf(PackedWeightGroup weights) => weights as PanelWeightGroup
        ?? throw new ArgumentException($"The weights were packed by another device ({weights.GetType().Name}).", nameof(weights));

    private static void CheckOffsets(int* offsets, int count, int rows)
    {
        bool sorted = offsets[0] == 0 && offsets[count] == rows;
        for (int e = 0; e < count; e++) sorted &= offsets[e] <= offsets[e + 1];
        if (!sorted) throw new ArgumentException($"Offsets must rise from 0 to the {rows} rows of y.", nameof(offsets));
    }
}
