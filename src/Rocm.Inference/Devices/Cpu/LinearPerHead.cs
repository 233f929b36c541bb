using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>Every head's product with a weight of its own.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void LinearPerHead(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView y)
    {
        PanelWeightGroup group = PanelsOf(weights);
        CpuOperand input = CpuOperand.Of(x), output = CpuOperand.Of(y);
        int heads = group.Count;
        if (x.Rank != 3 || x.Dim(1) != heads || input.Columns != group.InputFeatures)
            throw new ArgumentException($"Expected [T, {heads}, {group.InputFeatures}], found {x}.", nameof(x));
        if (y.Rank != 3 || y.Dim(0) != x.Dim(0) || y.Dim(1) != heads || output.Columns != group.OutputFeatures)
            throw new ArgumentException($"Expected [{x.Dim(0)}, {heads}, {group.OutputFeatures}], found {y}.", nameof(y));
        if (input.Rows == 0) return;
        var job = new GroupJob
        {
            X = input,
            Y = output,
            Rows = checked((int)input.Rows),
            RowsOfHead = checked((int)x.Dim(0)),
            NumHeads = heads,
        };
        RunGroups(&job, group, null);
    }
}
