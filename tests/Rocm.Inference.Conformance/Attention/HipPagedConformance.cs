using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

public sealed class Gfx942MergeStates : MergeStatesConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100MergeStates : MergeStatesConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}

public sealed class Gfx942GatherKv : GatherKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100GatherKv : GatherKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}

public sealed class Gfx942RopeStoreKv : RopeStoreKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100RopeStoreKv : RopeStoreKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}

/// <summary>Unified attention and paged decode on a HIP device: kernels are compiled for a shape, so that a few shapes stand for all.</summary>
public abstract class HipUnifiedAttentionConformance : UnifiedAttentionConformance
{
    private static readonly (KvLayoutKind Layout, DType Type, int Dim, int ValueDim, int[] Blocks)[] s_shapes =
    [
        (KvLayoutKind.Nhd, DType.BF16, 128, 128, [16, 272, 1056]),
        (KvLayoutKind.Nhd, DType.BF16, 64, 64, [1, 5]),
        (KvLayoutKind.Nhd, DType.BF16, 256, 256, [16, 64]),
        (KvLayoutKind.Nhd, DType.F8E4M3Fn, 128, 128, [16, 784]),
        (KvLayoutKind.VectorizedX, DType.BF16, 64, 64, [16, 32]),
        (KvLayoutKind.VectorizedX, DType.F8E5M2, 80, 40, [3, 11]),
        (KvLayoutKind.Shuffled, DType.BF16, 128, 128, [16, 64]),
        (KvLayoutKind.Shuffled, DType.F8E4M3Fnuz, 96, 96, [16, 32]),
    ];

    protected override IReadOnlyList<int> Threads => [1];

    protected override string? TrustsTables => "A GPU's kernels trust the block table: there is nobody to tell within a launch.";

    protected override int Sample(int all) => HipDevices.Sample(all, 2);

    [Theory]
    [InlineData(192)]
    [InlineData(512)]
    public void Heads_of_more_dims_than_a_wave_has_sums_for_equal_the_oracle(int dim)
    {
        using IDevice device = CreateDevice(1);
        AttentionSpec spec = new()
        {
            NumQoHeads = 4, NumKvHeads = 2, HeadDim = dim, VHeadDim = dim, SoftmaxScale = (float)(1.5 / Math.Sqrt(dim)), MaxSeqLen = 4096, DType = device.ActivationDType, KvDType = DType.BF16,
        };
        var c = new AttentionCase(new TestRandom(dim), spec, 16, [new(70, 1), new(0, 5), new(33, 3)]);
        using var tensors = new PoisonedTensors(device, 1024);
        float[][] actual = c.Run(tensors, (0, 0, 1), (1, 0, 5), (2, 0, 3));
        for (int r = 0; r < 3; r++) tensors.AttentionTolerance.Check(c.Expected(r), actual[r], $"seed {dim}, row {r}: {c.Description}");
        tensors.Verify();
    }

    private protected override PagedShape Fit(TestRandom random, PagedShape shape)
    {
        (KvLayoutKind layout, DType type, int dim, int valueDim, int[] blocks) = random.Pick<(KvLayoutKind, DType, int, int, int[])>(s_shapes);
        return new PagedShape(shape.Spec with { HeadDim = dim, VHeadDim = valueDim, KvDType = type }, random.Pick<int>(blocks), layout);
    }
}

public sealed class Gfx942UnifiedAttention : HipUnifiedAttentionConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100UnifiedAttention : HipUnifiedAttentionConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}
