using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>Linear over 512 MB of different matrices of each shape, so that weights come from memory as they do in a model.</summary>
internal static class LinearBench
{
    public static void Run(BenchOptions options)
    {
        double bandwidth = LimitsBench.ReadGigabytes(options), flops = LimitsBench.FmaGigaflops(options);
        Console.WriteLine($"linear, bf16 weights, {options.Threads} threads; limits: {bandwidth:F1} GB/s, {flops:F0} GFLOP/s");
        using IDevice device = options.CreateDevice();
        using DeviceContext context = device.CreateContext(1 << 20);
        foreach ((int k, int n) in new[] { (2048, 5632), (5632, 2048), (4096, 4096) })
        {
            long bytes = 2L * k * n;
            PackedWeight[] weights = [.. Enumerable.Range(0, (int)((512L << 20) / bytes)).Select(_ => BenchWeights.Pack(device, n, k))];
            var buffers = new List<DeviceBuffer>();
            foreach (int m in new[] { 1, 4, 16, 32, 512 })
            {
                TensorView x = BenchWeights.Floats(device, buffers, m, k), y = BenchWeights.Floats(device, buffers, m, n);
                int count = m == 512 ? 2 : weights.Length;
                (double, double) time = options.Time(() =>
                {
                    for (int i = 0; i < count; i++) device.Kernels.Linear(context, x, weights[i], y);
                });
                double gigabytes = bytes * count * 1e-9, gigaflops = 2.0 * m * k * n * count * 1e-9;

                // What takes longer when both are done at their limit is the floor.
                bool streams = gigabytes / bandwidth > gigaflops / flops;
                BenchOptions.Print($"linear {m} x {k} x {n}", time, streams ? gigabytes : gigaflops, streams ? "GB/s" : "GFLOP/s", streams ? bandwidth : flops);
            }

            foreach (PackedWeight weight in weights) weight.Dispose();
            foreach (DeviceBuffer buffer in buffers) buffer.Dispose();
        }
    }
}
