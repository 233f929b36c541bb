using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>The plan that the device makes for persistent kernels, against the one that is made step by step.</summary>
public sealed class AiterWorkKernelsTests(ITestOutputHelper log)
{
    [Fact]
    public void The_devices_plan_is_that_of_the_reference_for_any_lengths()
    {
        using HipGpu gpu = HipSessions.Open(EmulatedGpu.Gfx942);
        using var tensors = new PoisonedTensors(gpu, 1024);
        var kernels = new AiterWorkKernels(gpu.Library);
        int seed = Environment.TickCount;
        log.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 40; round++)
        {
            int kvHeads = 1 << random.Next(4), workers = round == 0 ? kvHeads : kvHeads + random.Next(round == 1 ? 1024 : 300), pageTokens = random.Next(2) == 0 ? 1 : 256;
            int granule = pageTokens == 1 ? 64 : 1, length = 1 + random.Next(4), gqa = 1 + random.Next(16), most = random.Next(3) switch { 0 => 70, 1 => 2000, _ => 40_000 };
            int[] contexts = [.. Enumerable.Range(0, round == 2 ? 700 : 1 + random.Next(30)).Select(_ => random.Next(5) == 0 ? 0 : random.Next(most))];
            int rows = contexts.Length;
            var expected = new AiterWorkPlan(rows, workers, kvHeads);
            expected.Plan(contexts, pageTokens, granule, length, gqa);
            TensorView memory = tensors.Poison(DType.I32, AiterWorkTable.Bytes(rows, workers, kvHeads) / sizeof(int));
            var table = new AiterWorkTable(memory.Address, rows, workers, kvHeads);
            kernels.Plan(HipContext.Of(tensors.Context), tensors.I32(contexts, rows).Address, table, new AiterWorkKernels.Shape(gqa, pageTokens, granule, length));
            int[] found = [.. tensors.ReadBits(memory).Select(bits => (int)bits)];

            Assert.Equal(expected.WorkOffsets, At(table.WorkOffsets, workers + 1));
            Assert.Equal(expected.Items[..(expected.ItemCount * AiterWorkPlan.ItemWords)], At(table.Items, expected.ItemCount * AiterWorkPlan.ItemWords));
            int[] parts = At(table.FirstParts, rows + 1), pages = At(table.FirstPages, rows + 1);
            Assert.Equal(expected.PartialRows, parts[rows] * length);
            Assert.InRange(parts[rows], 0, AiterWorkTable.MaxParts(rows, workers, kvHeads));
            Assert.Equal(Enumerable.Range(0, rows + 1).Select(r => contexts[..r].Sum(context => (context + pageTokens - 1) / pageTokens)), pages);
            int[] cut = [.. Enumerable.Range(0, rows).Where(r => parts[r + 1] > parts[r])];
            Assert.Equal(Enumerable.Range(0, expected.ReduceCount).Select(g => expected.ReduceFinal[2 * g] / length), cut);
            Assert.Equal(expected.ReduceOffsets[..expected.ReduceCount], cut.Select(r => parts[r]));
            long[] addresses = [Word(0), Word(1)];
            Assert.Equal([table.WorkOffsets, table.Items], addresses);

            int[] At(nint address, int count) => found[((int)(address - memory.Address) / sizeof(int))..][..count];

            long Word(int i) => (uint)found[2 * i] | ((long)found[(2 * i) + 1] << 32);
        }

        tensors.Verify();
    }
}
