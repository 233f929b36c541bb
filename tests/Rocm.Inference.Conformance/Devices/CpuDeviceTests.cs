using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

public sealed class CpuDeviceTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4097)]
    [InlineData((1 << 20) + 1)]
    [InlineData(5 << 20)]
    public void Memory_is_zeroed_and_aligned(long size)
    {
        using var device = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        using DeviceBuffer buffer = device.Allocate(size);
        Assert.Equal(0, buffer.Address % 64);
        Span<byte> bytes = buffer.View(DType.U8, size).AsSpan<byte>();
        Assert.False(bytes.ContainsAnyExcept((byte)0));
        bytes.Fill(1);
        buffer.Dispose();
        Assert.True(buffer.IsDisposed);
    }

    [Fact]
    public void Memory_that_does_not_exist_is_refused_with_the_numbers()
    {
        using var device = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        Assert.InRange(device.AvailableMemoryBytes, 1, device.TotalMemoryBytes);
        var exception = Assert.Throws<DeviceMemoryException>(() => device.Allocate(device.TotalMemoryBytes * 2));
        Assert.Equal(device.TotalMemoryBytes * 2, exception.RequestedBytes);
        Assert.InRange(exception.AvailableBytes, 1, device.TotalMemoryBytes);
    }

    [Fact]
    public void The_device_says_what_it_is()
    {
        using var device = new CpuDevice();
        Assert.Equal(Environment.ProcessorCount, device.ComputeUnits);
        Assert.Contains("vectors", device.Name, StringComparison.Ordinal);
        Assert.Equal(DType.F32, device.ActivationDType);
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpuDevice(new CpuDeviceOptions { NumThreads = -1 }));
    }

    [Fact]
    public void Steps_on_a_warm_device_allocate_nothing()
    {
        using IDevice device = new CpuDevice(new CpuDeviceOptions { NumThreads = 2 });
        var random = new TestRandom(1);
        using var fixture = new WeightFixture(random, DType.BF16, 192, 64);
        using PackedWeight weight = device.Pack(new WeightSource(new[] { fixture.Matrix }));
        using var tensors = new PoisonedTensors(device, 1 << 20);
        TensorView x = tensors.F32(random.Floats(8 * 64), 8, 64), y = tensors.F32(new float[8 * 192], 8, 192), norm = tensors.F32(random.Floats(64), 64);
        TensorView gated = tensors.F32(new float[8 * 96], 8, 96);
        Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++) Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Step()
        {
            device.Kernels.RmsNorm(tensors.Context, x, norm, 1e-5f, 0, x);
            device.Kernels.Linear(tensors.Context, x, weight, y);
            device.Kernels.GatedActivation(tensors.Context, y, ActivationKind.Silu, gated);
        }
    }

    [Fact]
    public void Weights_that_cannot_be_packed_are_refused_by_name()
    {
        using IDevice device = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        using var fixture = new WeightFixture(new TestRandom(1), DType.BF16, 8, 8);
        Assert.Contains("counts", Assert.Throws<NotSupportedException>(() => device.Pack(Source(fixture.Matrix with { Name = "counts", DType = DType.I32 }))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => device.Pack(Source(fixture.Matrix with { RowStrideBytes = 8 })));
        Assert.Throws<ArgumentException>(() => device.Pack(Source(fixture.Matrix, fixture.Matrix with { Columns = 4 })));
        Assert.Throws<ArgumentException>(() => device.Pack(new WeightSource(new[] { fixture.Matrix }, new float[7])));

        static WeightSource Source(params WeightMatrix[] parts) => new(parts);
    }
}
