using System.Runtime.InteropServices;
using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>How weights reach a GPU. The emulator copies as late as it may: memory that was filled again too early would show.</summary>
[Collection(EmulatorOptions.Collection)]
public sealed unsafe class HipWeightLoadTests
{
    private const int MostCopiesWaiting = 20;

    [Fact]
    public void The_next_stretch_of_a_weight_is_read_and_converted_while_the_one_before_is_copied()
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        const int Rows = 1200, Columns = 4096;
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        float[] values = new TestRandom(31).Floats((long)Rows * Columns);
        GCHandle pinned = GCHandle.Alloc(values, GCHandleType.Pinned);
        try
        {
            EmulatedGpu.Instance.Set("reset", "1");
            var matrix = new WeightMatrix("w", DType.F32, Rows, Columns, pinned.AddrOfPinnedObject(), Columns * sizeof(float), values);
            using var packed = (HipPackedWeight)((IDevice)gpu).Pack(new WeightSource(new[] { matrix }));

            // Two buffers: what the second holds was converted, and its copy enqueued, before anyone waited for the copy of the first.
            Assert.Equal(2ul, EmulatedGpu.Instance.Counters()[MostCopiesWaiting]);

            // The emulator's memory is the process's own.
            var kept = new ReadOnlySpan<ushort>((void*)packed.Address, values.Length);
            for (int i = 0; i < values.Length; i++) Assert.Equal((ushort)OracleNumbers.Encode(DType.BF16, values[i]), kept[i]);
        }
        finally
        {
            pinned.Free();
        }
    }
}
