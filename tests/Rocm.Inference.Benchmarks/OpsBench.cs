using System.Diagnostics;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>The ops between products, and packing.</summary>
internal static class OpsBench
{
    public static void Run(BenchOptions options)
    {
        double bandwidth = LimitsBench.ReadGigabytes(options);
        using IDevice device = options.CreateDevice();
        using DeviceContext context = device.CreateContext(1 << 20);
        var buffers = new List<DeviceBuffer>();
        foreach (int t in new[] { 1, 512 })
        {
            const int Hidden = 2048, Ffn = 5632;
            TensorView x = BenchWeights.Floats(device, buffers, t, Hidden), y = BenchWeights.Floats(device, buffers, t, Hidden);
            TensorView gateUp = BenchWeights.Floats(device, buffers, t, 2 * Ffn), act = BenchWeights.Floats(device, buffers, t, Ffn);
            TensorView weight = BenchWeights.Floats(device, buffers, Hidden);
            BenchOptions.Print($"rms norm {t} x {Hidden}", options.Time(() => device.Kernels.RmsNorm(context, x, weight, 1e-5f, 0, y)), t * Hidden * 8e-9, "GB/s", bandwidth);
            foreach (ActivationKind kind in Enum.GetValues<ActivationKind>())
                BenchOptions.Print($"{kind} {t} x {Ffn}", options.Time(() => device.Kernels.GatedActivation(context, gateUp, kind, act)), t * Ffn * 12e-9, "GB/s", bandwidth);
        }

        Packing(device, bandwidth);
        foreach (DeviceBuffer buffer in buffers) buffer.Dispose();
    }

    private static unsafe void Packing(IDevice device, double bandwidth)
    {
        foreach ((int k, int n) in new[] { (2048, 11264), (5632, 4096), (2048, 32000), (4096, 8192) })
        {
            using DeviceBuffer source = device.Allocate(2L * k * n);
            new Span<ushort>((void*)source.Address, k * n).Fill(0x3C12);
            double best = double.MaxValue;
            for (int i = 0; i < 5; i++)
            {
                long start = Stopwatch.GetTimestamp();
                device.Pack(new WeightSource(new[] { new WeightMatrix("bench", DType.BF16, n, k, source.Address, k * 2L, source) })).Dispose();
                best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
            }

            BenchOptions.Print($"pack {n} x {k} (with fresh pages)", (best, best), 2.0 * k * n * 1e-9, "GB/s", bandwidth);
        }
    }
}
