using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>Recording what is given to a context and replaying it with other uploads.</summary>
public sealed class HipRecordingTests
{
    private const int Columns = 128;

    [Theory]
    [InlineData(EmulatedGpu.Gfx942)]
    [InlineData(EmulatedGpu.Gfx1100)]
    public void A_replayed_recording_takes_new_uploads_and_nothing_of_the_old_ones(string target)
    {
        using HipGpu gpu = Open(target);
        using DeviceContext context = gpu.CreateContext(1 << 16);
        using DeviceBuffer memory = gpu.Allocate(1 << 16);
        var work = new NormWork(context, memory);
        work.Run(factor: 1);
        using (IRecordedWork recorded = context.Record(work, static work => work.Enqueue()))
        {
            // Recording runs nothing: what was there stays.
            Assert.Equal(1, work.Result());
            foreach (float factor in (float[])[2, 5, 3])
            {
                work.Factor = factor;
                context.Upload<float>([7], work.Unrelated);
                context.Replay(recorded, work, static work => work.Upload());
                Assert.Equal(factor, work.Result());
            }
        }

        work.Run(factor: 4);
        Assert.Equal(4, work.Result());
    }

    [Fact]
    public void A_replay_whose_uploads_have_other_sizes_is_refused()
    {
        using HipGpu gpu = Open(EmulatedGpu.Gfx1100);
        using DeviceContext context = gpu.CreateContext(1 << 16);
        using DeviceBuffer memory = gpu.Allocate(1 << 16);
        var work = new NormWork(context, memory);
        work.Run(factor: 1);
        using IRecordedWork recorded = context.Record(work, static work => work.Enqueue());
        Assert.Throws<InvalidOperationException>(() => context.Replay(recorded, work, static work =>
        {
            work.Upload();
            work.Upload();
        }));
        context.Replay(recorded, work, static work => work.Upload());
        Assert.Equal(1, work.Result());
    }

    [Fact]
    public void Work_that_waits_or_stages_too_much_cannot_be_recorded_and_the_context_goes_on()
    {
        using HipGpu gpu = Open(EmulatedGpu.Gfx942);
        using DeviceContext context = gpu.CreateContext(1 << 16);
        using DeviceBuffer memory = gpu.Allocate(8 << 20);
        var work = new NormWork(context, memory);
        work.Run(factor: 1);
        Assert.Throws<HipException>(() => context.Record(work, static work => work.Wait()));
        var large = new byte[(4 << 20) + 1];
        Assert.Throws<HipException>(() => context.Record(memory, buffer => context.Upload<byte>(large, buffer.View(DType.U8, large.Length))));
        work.Run(factor: 6);
        Assert.Equal(6, work.Result());
    }

    private static HipGpu Open(string target)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        return EmulatedGpu.Create(target);
    }

    /// <summary>y = RmsNorm of a row of equal elements, which is the weight: uploaded with each run.</summary>
    private sealed class NormWork(DeviceContext context, DeviceBuffer memory)
    {
        private readonly TensorView _weight = new(memory, 0, DType.F32, Columns);
        private readonly TensorView _x = new(memory, 4096, DType.BF16, 1, Columns);
        private readonly TensorView _y = new(memory, 8192, DType.BF16, 1, Columns);

        public float Factor { get; set; }

        public TensorView Unrelated { get; } = new(memory, 12288, DType.F32, 1);

        public void Run(float factor)
        {
            Factor = factor;
            Enqueue();
        }

        public void Upload()
        {
            context.Upload<float>(Enumerable.Repeat(Factor, Columns).ToArray(), _weight);
            context.Upload<ushort>(Enumerable.Repeat((ushort)0x4000, Columns).ToArray(), _x);
        }

        public void Enqueue()
        {
            Upload();
            context.Device.Kernels.RmsNorm(context, _x, _weight, eps: 0, offset: 0, _y);
        }

        public void Wait()
        {
            Upload();
            context.Synchronize();
        }

        public float Result()
        {
            var y = new ushort[Columns];
            context.Download(_y, y.AsSpan());
            return BitConverter.UInt32BitsToSingle((uint)y.Distinct().Single() << 16);
        }
    }
}
