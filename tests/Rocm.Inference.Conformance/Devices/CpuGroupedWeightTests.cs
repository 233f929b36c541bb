using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>What only the CPU device can show of its weights.</summary>
public sealed unsafe class CpuGroupedWeightTests
{
    [Fact]
    public void Weights_of_experts_without_tokens_are_not_touched()
    {
        using var device = new CpuDevice(new CpuDeviceOptions { NumThreads = 2 });
        var random = new TestRandom(51);
        const int E = 6, N = 96, K = 512, T = 2, TopK = 2;
        using var group = new GroupFixture(random, DType.BF16, E, N, K);
        using PackedWeightGroup packed = group.Pack(device);
        using var tensors = new PoisonedTensors(device);
        int[] experts = [1, 4, 4, 1];
        MoeTensors sorted = MoeTensors.Sort(tensors, experts, T, TopK, E);
        float[] x = random.Floats(T * K);
        TensorView input = tensors.F32(x, T, K), y = tensors.Poison(DType.F32, T * TopK, N);

        var panels = Assert.IsType<PanelWeightGroup>(packed);
        long member = panels.Layout.SizeBytes;
        var forbidden = new List<ForbiddenPages>();
        try
        {
            foreach (int e in Enumerable.Range(0, E).Except(experts)) forbidden.Add(new ForbiddenPages((nint)(panels.Panels + (e * member)), member));
            if (OperatingSystem.IsLinux()) Assert.All(forbidden, f => Assert.True(f.Bytes > member / 2));
            ((IDevice)device).Kernels.GroupedLinear(tensors.Context, input, packed, sorted.OffsetsView, sorted.OrderView, TopK, y);
        }
        finally
        {
            forbidden.ForEach(f => f.Dispose());
        }

        float[] gathered = [.. sorted.Order.SelectMany(a => x.AsSpan(a / TopK * K, K).ToArray())];
        double[] expected = OracleMoe.Linear(gathered, [.. sorted.Order.Select(a => experts[a])], group.Values, group.Biases, K, N);
        Tolerance.F32.Check(expected, tensors.Read(y), "with forbidden experts");
    }

    [Fact]
    public void Routing_and_grouped_products_allocate_nothing()
    {
        using var device = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        IKernels kernels = ((IDevice)device).Kernels;
        var random = new TestRandom(52);
        const int E = 8, N = 100, K = 64, T = 9, TopK = 3;
        using var group = new GroupFixture(random, DType.BF16, E, N, K);
        using PackedWeightGroup packed = group.Pack(device);
        using var tensors = new PoisonedTensors(device);
        TensorView x = tensors.F32(random.Floats(T * K), T, K), logits = tensors.F32(random.Floats(T * E), T, E);
        TensorView experts = tensors.Poison(DType.I32, T, TopK), weights = tensors.Poison(DType.F32, T, TopK), sum = tensors.Poison(DType.F32, T, N);
        TensorView offsets = tensors.Poison(DType.I32, E + 1), order = tensors.Poison(DType.I32, T * TopK), places = tensors.Poison(DType.I32, T * TopK);
        TensorView heads = tensors.F32(random.Floats(E * K), 1, E, K), perHead = tensors.Poison(DType.F32, 1, E, N), y = tensors.Poison(DType.F32, T * TopK, N);
        var rule = new MoeRouting { NumExperts = E, TopK = TopK, Normalizes = true, NumGroups = 4, TopKGroups = 2 };
        void Step()
        {
            kernels.RouteExperts(tensors.Context, logits, default, rule, experts, weights);
            kernels.SortByExpert(tensors.Context, experts, offsets, order, places);
            kernels.GroupedLinear(tensors.Context, x, packed, offsets, order, TopK, y);
            kernels.CombineExperts(tensors.Context, y, places, weights, sum, accumulate: false);
            kernels.GateRows(tensors.Context, logits.Slice(1, 0, 1), sum);
            kernels.LinearPerHead(tensors.Context, heads, packed, perHead);
        }

        Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++) Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
