using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>The arena that is planned is the one that is used: no byte less, and none more than the alignment of the last tensor.</summary>
public sealed class ScratchTests : IDisposable
{
    private const int NumTokens = 37;
    private readonly string _folder = Directory.CreateTempSubdirectory("scratch-").FullName;
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    public static TheoryData<string> Names => [.. GoldenCheckpoint.Names];

    public void Dispose()
    {
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_largest_step_fills_the_planned_arena(string name)
    {
        GoldenCheckpoint.Load(name).WriteTo(_folder, GoldenWeights.BFloat16);
        var attention = new NoAttention(GoldenBackends.KindOf(name));
        using var session = new ModelSession(_device, _folder, NumTokens, DType.F32, backend: attention);
        session.Forward([.. Enumerable.Range(1, NumTokens)], 0, [.. Enumerable.Range(0, NumTokens)]);

        Assert.InRange(session.PeakScratchBytes, session.ScratchBytes - 63, session.ScratchBytes);
    }

    /// <summary>Attention that gives zeros and needs a workspace of its own, so that what a model adds to it is seen alone.</summary>
    private sealed class NoAttention(AttentionKind kind) : IAttentionBackend
    {
        private const long Workspace = 1000 * 64;

        public string Name => "NONE";

        public AttentionKind Kind => kind;

        public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionSupport.Supported;

        public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(kind == AttentionKind.Mla ? KvLayoutKind.MlaLatent : KvLayoutKind.Nhd);

        public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) => Workspace;

        public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => new Executor();

        private sealed class Executor : IAttentionExecutor
        {
            public BatchOrder Order => BatchOrder.Any;

            public GraphSupport Graphs => GraphSupport.Never;

            public void Plan(DeviceContext context, ForwardBatch batch, int group)
            {
            }

            public void Run(DeviceContext context, int layer, in AttentionInputs inputs, TensorView output)
            {
                long mark = context.Mark();
                context.Scratch(DType.U8, Workspace);
                context.Release(mark);
                output.AsSpan<float>().Clear();
            }

            public void Dispose()
            {
            }
        }
    }
}
