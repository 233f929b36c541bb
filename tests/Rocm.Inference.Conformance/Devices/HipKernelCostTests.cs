using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Nothing else runs beside: the emulator counts for the process.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class EmulatorCounters
{
    public const string Name = "Counters of the emulator";
}

/// <summary>What the dense kernels read, counted by the emulator, and that none of them keeps registers in memory.</summary>
[Collection(EmulatorCounters.Name)]
public sealed class HipKernelCostTests
{
    private const int LinesRead = 3;
    private const int LineBytes = 64;

    public static TheoryData<string> Targets => [EmulatedGpu.Gfx942, EmulatedGpu.Gfx1100];

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_product_of_few_rows_reads_little_more_than_its_weights(string target)
    {
        const int N = 520, K = 1536;
        using IDevice device = HipDevices.Create(target);
        var random = new TestRandom(81);
        using var plain = new WeightFixture(random, DType.BF16, N, K);
        using var eight = new ScaledWeightFixture(random, DType.F8E4M3Fn, DType.F32, N, K);
        using var four = new ScaledWeightFixture(random, DType.F4E2M1, DType.U8, N, K);
        foreach (WeightMatrix matrix in new[] { plain.Matrix, eight.Matrix, four.Matrix })
        {
            foreach (int rows in new[] { 1, 7, 16 })
            {
                using var tensors = new PoisonedTensors(device);
                using PackedWeight packed = device.Pack(new WeightSource(new[] { matrix }));
                TensorView x = tensors.Activations(tensors.Draw(random, rows * K), rows, K), y = tensors.PoisonActivations(rows, N);
                ulong lines = Count(() => device.Kernels.Linear(tensors.Context, x, packed, y), tensors.Context);

                // Results are written, not read.
                double floor = (packed.SizeBytes + (rows * K * 2)) / (double)LineBytes;
                TestContext.Current.TestOutputHelper?.WriteLine($"{target}, {matrix.DType}, {rows} rows: {lines} lines read, {lines / floor:F3} of the floor");
                Assert.InRange(lines, floor * 0.98, floor * 1.1);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Weights_of_experts_without_tokens_are_not_read(string target)
    {
        const int E = 8, N = 64, K = 512, Rows = 6;
        using IDevice device = HipDevices.Create(target);
        var random = new TestRandom(82);
        using var group = new GroupFixture(random, DType.BF16, E, N, K);
        using PackedWeightGroup packed = group.Pack(device);
        using var tensors = new PoisonedTensors(device);
        TensorView x = tensors.Activations(tensors.Draw(random, Rows * K), Rows, K), y = tensors.PoisonActivations(Rows, N);
        TensorView offsets = tensors.I32([0, 0, 0, 2, 2, 2, 6, 6, 6], E + 1);
        ulong lines = Count(() => device.Kernels.GroupedLinear(tensors.Context, x, packed, offsets, default, 1, y), tensors.Context);
        double floor = ((2 * N * K * 2) + (Rows * K * 2)) / (double)LineBytes;
        Assert.InRange(lines, floor, floor * 1.1);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void No_kernel_keeps_registers_in_memory(string target)
    {
        using var device = (HipGpu)HipDevices.Create(target);
        (string File, string[] Macros, string[] Kernels)[] units =
        [
            ("dense/elementwise.hip", ["T=BF16", "T=F32"], ["add", "scale", "soft_cap", "gated_activation", "gate_rows", "gather_rows"]),
            ("dense/linear_skinny.hip", ["T=BF16 WEIGHT=16", "T=BF16 WEIGHT=8", "T=BF16 WEIGHT=4"], ["linear_skinny"]),
            ("dense/linear_tiled.hip", ["T=BF16 WEIGHT=16", "T=BF16 WEIGHT=8", "T=BF16 WEIGHT=4"], ["linear_tiled"]),
            ("moe/route_experts.hip", ["T=F32"], ["route_experts"]),
            ("moe/sort_by_expert.hip", [""], ["sort_by_expert"]),
            ("moe/combine_experts.hip", ["T=BF16 V=8"], ["combine_experts"]),
            ("sampling/sample.hip", [""], ["sample"]),
        ];
        foreach ((string file, string[] instances, string[] kernels) in units)
        {
            foreach (string macros in instances)
            {
                foreach (string kernel in kernels)
                {
                    HipFunction function = device.Library.Get(new KernelUnit(file, macros), kernel, 0);
                    Assert.True(function.ScratchBytesPerThread == 0, $"{kernel} of {file} ({macros}) keeps {function.ScratchBytesPerThread} bytes a thread in memory");
                }
            }
        }
    }

    private static ulong Count(Action launch, DeviceContext context)
    {
        // Once before, so that the kernel is compiled and the uploads are done.
        launch();
        context.Synchronize();
        EmulatedGpu gpu = EmulatedGpu.Instance;
        gpu.Set("lines", "1");
        try
        {
            ulong before = gpu.Counters()[LinesRead];
            launch();
            context.Synchronize();
            return gpu.Counters()[LinesRead] - before;
        }
        finally
        {
            gpu.Set("lines", "0");
        }
    }
}
