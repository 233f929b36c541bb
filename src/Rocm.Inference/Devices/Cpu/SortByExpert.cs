namespace Rocm.Inference.Devices.Cpu;

/// <summary>Counting sort of assignments by expert.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void SortByExpert(DeviceContext context, TensorView experts, TensorView offsets, TensorView order, TensorView places)
    {
        int assignments = checked((int)experts.Count);
        if (offsets.Count < 2) throw new ArgumentException($"Expected [experts + 1] i32, found {offsets}.", nameof(offsets));
        int numExperts = checked((int)offsets.Count - 1);
        int* expert = CpuOperand.Indices(experts, assignments);
        int* starts = CpuOperand.Indices(offsets, numExperts + 1L);
        int* sorted = CpuOperand.Indices(order, assignments);
        int* place = CpuOperand.Indices(places, assignments);

        new Span<int>(starts, numExperts + 1).Clear();
        for (int i = 0; i < assignments; i++)
        {
            if ((uint)expert[i] >= (uint)numExperts)
                throw new ArgumentOutOfRangeException(nameof(experts), expert[i], $"Experts must be in [0, {numExperts}).");
            starts[expert[i] + 1]++;
        }

        for (int e = 1; e < numExperts; e++) starts[e + 1] += starts[e];

        // Each start moves on as its expert's places are given out, until it is the start of the next expert.
        for (int i = 0; i < assignments; i++)
        {
            int at = starts[expert[i]]++;
            sorted[at] = i;
            place[i] = at;
        }

        for (int e = numExperts; e > 0; e--) starts[e] = starts[e - 1];
        starts[0] = 0;
    }
}
