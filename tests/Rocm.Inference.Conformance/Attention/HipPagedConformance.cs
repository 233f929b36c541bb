using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

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
