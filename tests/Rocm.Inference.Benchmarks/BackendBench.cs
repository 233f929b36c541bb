using System.Globalization;
using Rocm.Inference.Attention.Backends;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks;

/// <summary>
/// The backends of a kind beside each other, one layer each: decode of 1, 8 and 64 rows, prefill, extend. The library's order of preference on the CPU is
/// made of these figures. And what the host does before a step: building and planning it.
/// </summary>
internal static class BackendBench
{
    private static readonly AttentionSpec Mha = new()
    {
        NumQoHeads = 32, NumKvHeads = 4, HeadDim = 128, VHeadDim = 128, SoftmaxScale = 0.088f, MaxSeqLen = 32768,
    };

    private static readonly AttentionSpec Mla = new()
    {
        Kind = AttentionKind.Mla, NumQoHeads = 16, NumKvHeads = 1, HeadDim = 192, VHeadDim = 128, KvLoraRank = 512, QkRopeHeadDim = 64, QkNopeHeadDim = 128,
        SoftmaxScale = 0.072f, MaxSeqLen = 32768,
    };

    public static void Run(BenchOptions options)
    {
        using IDevice device = options.CreateDevice();
        Blocks(options, device);
        (string Name, int Rows, int QueryLen, int SeqLen)[] cases =
        [
            ("decode 1 x 8192", 1, 1, 8192), ("decode 8 x 4096", 8, 1, 4096), ("decode 64 x 1024", 64, 1, 1024), ("verify 8 x 4 on 4096", 8, 4, 4096),
            ("extend 64 on 4096", 1, 64, 4096), ("extend 256 on 4096", 1, 256, 4096), ("prefill 1024", 1, 1024, 1024),
        ];
        foreach (AttentionSpec spec in new[] { Mha, Mla })
        {
            IAttentionBackend[] backends = [.. LibraryBackends.Create().Where(backend => backend.Kind == spec.Kind)];
            foreach ((string name, int rows, int queryLen, int seqLen) in cases)
            {
                BackendStep[] steps = [.. backends.Select(backend => new BackendStep(device, backend, spec, rows, queryLen, seqLen))];

                // In turns, so that a machine that becomes busy slows all of them.
                var best = new double[steps.Length];
                Array.Fill(best, double.MaxValue);
                for (int round = 0; round < 3; round++)
                {
                    for (int i = 0; i < steps.Length; i++) best[i] = Math.Min(best[i], (options with { Repetitions = 3 }).Time(steps[i].Run, 0.01).Best);
                }

                foreach (BackendStep step in steps) step.Dispose();
                IEnumerable<string> figures = backends.Select((backend, i) => string.Create(
                    CultureInfo.InvariantCulture, $"{backend.Name} {best[i] * 1e3:F2} ms ({best[i] / best.Min():F2})"));
                Console.WriteLine($"{name,-22} {string.Join(", ", figures)}");
            }
        }
    }

    /// <summary>The two backends with one path, with the same blocks: their order of preference should not be one of block sizes.</summary>
    private static void Blocks(BenchOptions options, IDevice device)
    {
        IAttentionBackend[] backends = [.. LibraryBackends.Create().Where(b => b.Name is AttentionBackendNames.TritonAttn or AttentionBackendNames.RocmAiterUnifiedAttn)];
        (IAttentionBackend Backend, int Block)[] kinds = [.. new[] { 16, 64 }.SelectMany(block => backends.Select(backend => (backend, block)))];
        foreach ((int rows, int seqLen) in new[] { (1, 8192), (8, 4096), (64, 1024) })
        {
            BackendStep[] steps = [.. kinds.Select(kind => new BackendStep(device, kind.Backend, Mha, rows, 1, seqLen, kind.Block))];
            var times = new double[steps.Length][];
            for (int i = 0; i < steps.Length; i++) times[i] = new double[options.Repetitions];
            for (int round = 0; round < options.Repetitions; round++)
            {
                for (int i = 0; i < steps.Length; i++) times[i][round] = (options with { Repetitions = 1 }).Time(steps[i].Run, 0.01).Median;
            }

            foreach (BackendStep step in steps) step.Dispose();
            double[] medians = [.. times.Select(t => t.Order().ElementAt(t.Length / 2))];
            IEnumerable<string> figures = kinds.Select((kind, i) => string.Create(
                CultureInfo.InvariantCulture, $"{kind.Backend.Name} blocks of {kind.Block} {medians[i] * 1e3:F2} ms ({medians[i] / medians.Min():F2})"));
            Console.WriteLine($"decode {rows} x {seqLen,-14} {string.Join(", ", figures)}");
        }
    }

    public static void RunPlans(BenchOptions options)
    {
        using var device = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        foreach (IAttentionBackend backend in LibraryBackends.Create())
        {
            using var scenario = new PlanningScenario(device, backend, backend.Kind == AttentionKind.Mla ? Mla : Mha, rows: 256, promptLen: 900);
            (double Median, double Best) steady = options.Time(scenario.BuildAndPlan);
            scenario.Mix(newcomers: 20);
            (double Median, double Best) mixed = options.Time(scenario.BuildAndPlan);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{backend.Name,-24} 256 rows of about 1000 tokens: decode {steady.Median * 1e6:F1} us (best {steady.Best * 1e6:F1}), with extends and prefills of 8192 tokens {mixed.Median * 1e6:F1} us (best {mixed.Best * 1e6:F1})"));
        }
    }
}
