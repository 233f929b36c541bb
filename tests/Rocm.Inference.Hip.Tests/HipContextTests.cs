using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>Memory and copies of the emulated devices.</summary>
public sealed class HipContextTests
{
    [Theory]
    [InlineData(EmulatedGpu.Gfx942)]
    [InlineData(EmulatedGpu.Gfx1100)]
    public void Uploads_larger_than_the_staging_memory_arrive_whole(string target)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using HipGpu gpu = EmulatedGpu.Create(target);
        using DeviceContext context = gpu.CreateContext(1 << 16);
        int[] values = [.. Enumerable.Range(0, 3_000_000).Select(i => i * 7919)];
        using DeviceBuffer buffer = gpu.Allocate(values.Length * 4L);
        Assert.Equal(new int[1000], Download(1000));
        context.Upload<int>(values, buffer.View(DType.I32, values.Length));
        for (int i = 0; i < 100; i++) context.Upload<int>(values.AsSpan(i, 50_000), buffer.View(DType.I32, 50_000));
        Array.Copy(values, 99, values, 0, 50_000);
        Assert.Equal(values, Download(values.Length));

        int[] Download(int count)
        {
            int[] read = new int[count];
            context.Download(buffer.View(DType.I32, count), read.AsSpan());
            return read;
        }
    }

    [Theory]
    [InlineData(EmulatedGpu.Gfx942, 64)]
    [InlineData(EmulatedGpu.Gfx1100, 32)]
    public void A_device_tells_its_architecture_and_its_wave(string target, int wave)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using HipGpu gpu = EmulatedGpu.Create(target);
        Assert.Equal((target, wave, DType.BF16, DeviceKind.Hip), (gpu.Architecture, gpu.WaveSize, gpu.ActivationDType, gpu.Kind));
    }
}
