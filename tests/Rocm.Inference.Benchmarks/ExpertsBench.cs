using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>
/// Products with 8-bit and 4-bit weights beside bf16, and the products of a mixture of experts shaped like Qwen3-30B-A3B (hidden 2048,
/// intermediate 768, 128 experts, 8 of them for each token). A step's floor is what takes longer: reading the weights that have tokens once at
/// the read bandwidth, or the multiply-adds at the FMA peak.
/// </summary>
internal static class ExpertsBench
{
    private const int Hidden = 2048;
    private const int Intermediate = 768;
    private const int NumExperts = 128;
    private const int TopK = 8;

    private static readonly DType[] Types = [DType.BF16, DType.F8E4M3Fn, DType.F4E2M1];

    public static void RunLinear(BenchOptions options)
    {
        double bandwidth = LimitsBench.ReadGigabytes(options), flops = LimitsBench.FmaGigaflops(options);
        Console.WriteLine($"linear with scaled weights, {options.Threads} threads; limits: {bandwidth:F1} GB/s, {flops:F0} GFLOP/s");
        using IDevice device = options.CreateDevice();
        using DeviceContext context = device.CreateContext(1 << 20);
        const int K = 4096, N = 4096;
        foreach (DType dtype in Types)
        {
            // As many different matrices as bf16 needs to come from memory.
            PackedWeight[] weights = [.. Enumerable.Range(0, 16).Select(_ => BenchWeights.Pack(device, N, K, dtype))];
            var buffers = new List<DeviceBuffer>();
            foreach (int m in new[] { 1, 2, 4, 8, 16, 32, 512 })
            {
                TensorView x = BenchWeights.Floats(device, buffers, m, K), y = BenchWeights.Floats(device, buffers, m, N);
                int count = m == 512 ? 1 : weights.Length;

                // What streams is held against the bandwidth of the same moment: that of a shared machine moves.
                if (m <= 2) bandwidth = LimitsBench.ReadGigabytes(options);
                (double, double) time = options.Time(() =>
                {
                    for (int i = 0; i < count; i++) device.Kernels.Linear(context, x, weights[i], y);
                });
                Print($"linear {dtype} {m} x {K} x {N}", time, weights[0].SizeBytes * count * 1e-9, 2.0 * m * K * N * count * 1e-9, bandwidth, flops);
            }

            foreach (PackedWeight weight in weights) weight.Dispose();
            foreach (DeviceBuffer buffer in buffers) buffer.Dispose();
        }
    }

    public static void RunGrouped(BenchOptions options)
    {
        Console.WriteLine($"experts, {options.Threads} threads");
        using IDevice device = options.CreateDevice();
        using DeviceContext context = device.CreateContext(1 << 20);
        foreach (DType dtype in Types)
        {
            using PackedWeightGroup gateUp = BenchWeights.PackGroup(device, NumExperts, 2 * Intermediate, Hidden, dtype);
            using PackedWeightGroup down = BenchWeights.PackGroup(device, NumExperts, Hidden, Intermediate, dtype);
            foreach (int tokens in new[] { 1, 8, 64, 512 })
            {
                (double bandwidth, double flops) = (LimitsBench.ReadGigabytes(options), LimitsBench.FmaGigaflops(options));
                Step(options, device, context, gateUp, down, dtype, tokens, bandwidth, flops);
            }
        }
    }

    private static void Step(
        BenchOptions options, IDevice device, DeviceContext context, PackedWeightGroup gateUp, PackedWeightGroup down, DType dtype, int tokens, double bandwidth, double flops)
    {
        // Every repetition has other tokens, so that a few experts' weights come from memory and not from a cache.
        const int Batches = 16;
        int assignments = tokens * TopK;
        var buffers = new List<DeviceBuffer>();
        TensorView x = BenchWeights.Floats(device, buffers, tokens, Hidden), hidden = BenchWeights.Floats(device, buffers, assignments, 2 * Intermediate);
        TensorView act = BenchWeights.Floats(device, buffers, assignments, Intermediate), y = BenchWeights.Floats(device, buffers, assignments, Hidden);
        TensorView sum = BenchWeights.Floats(device, buffers, tokens, Hidden);
        var rule = new MoeRouting { NumExperts = NumExperts, TopK = TopK, Normalizes = true };
        TensorView[] logits = [.. Enumerable.Range(0, Batches).Select(_ => BenchWeights.Floats(device, buffers, tokens, NumExperts))];
        var random = new Random(tokens);
        foreach (TensorView view in logits)
        {
            foreach (ref float logit in view.AsSpan<float>()) logit = random.NextSingle();
        }

        TensorView experts = Ints(tokens, TopK), offsets = Ints(NumExperts + 1), order = Ints(assignments), places = Ints(assignments);
        TensorView weights = BenchWeights.Floats(device, buffers, tokens, TopK);
        int batch = 0;
        long touched = 0, batches = 0;
        void Route()
        {
            device.Kernels.RouteExperts(context, logits[batch++ % Batches], default, rule, experts, weights);
            device.Kernels.SortByExpert(context, experts, offsets, order, places);
        }

        (double Median, double) routing = options.Time(Route);
        (double, double) time = options.Time(() =>
        {
            Route();
            device.Kernels.GroupedLinear(context, x, gateUp, offsets, order, TopK, hidden);
            device.Kernels.GatedActivation(context, hidden, ActivationKind.Silu, act);
            device.Kernels.GroupedLinear(context, act, down, offsets, default, 1, y);
            device.Kernels.CombineExperts(context, y, places, weights, sum, accumulate: false);
            touched += Touched(offsets);
            batches++;
        });
        double share = (double)touched / batches / NumExperts;
        double gigabytes = (gateUp.SizeBytes + down.SizeBytes) * share * 1e-9;
        double gigaflops = 2.0 * assignments * 3 * Hidden * Intermediate * 1e-9;
        Print($"experts {dtype}, {tokens} tokens, {share * NumExperts:F0} experts", time, gigabytes, gigaflops, bandwidth, flops);
        Console.WriteLine($"    of it routing and sorting {routing.Median * 1e6:F0} us");
        foreach (DeviceBuffer buffer in buffers) buffer.Dispose();

        TensorView Ints(params ReadOnlySpan<long> shape)
        {
            TensorView floats = BenchWeights.Floats(device, buffers, shape);
            return new TensorView(floats.Buffer, floats.ByteOffset, DType.I32, shape);
        }
    }

    private static int Touched(TensorView offsets)
    {
        Span<int> starts = offsets.AsSpan<int>();
        int count = 0;
        for (int e = 0; e < starts.Length - 1; e++) count += starts[e + 1] > starts[e] ? 1 : 0;
        return count;
    }

    private static void Print(string name, (double Median, double Best) time, double gigabytes, double gigaflops, double bandwidth, double flops)
    {
        double memory = gigabytes / bandwidth / time.Median, compute = gigaflops / flops / time.Median;
        Console.WriteLine(FormattableString.Invariant(
            $"{name,-40} {time.Median * 1e3,8:F3} ms (best {time.Best * 1e3:F3}): {gigabytes / time.Median:F1} of {bandwidth:F1} GB/s = {memory:P0}, {gigaflops / time.Median:F0} of {flops:F0} GFLOP/s = {compute:P0}"));
    }
}
