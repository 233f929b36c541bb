using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Norms, activations and element-wise ops of a device against the oracle.</summary>
public abstract class OpsConformance
{
    protected abstract IDevice CreateDevice(int numThreads);

    [Fact]
    public void RmsNorm_equals_the_oracle_for_every_width()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(11);
        for (int d = 1; d <= 256; d += d < 40 ? 1 : 9)
        {
            using var tensors = new PoisonedTensors(device, 1 << 16);
            int rows = random.Next(1, 5);
            float[] x = tensors.Draw(random, rows * d, 3), w = random.Floats(d), r = tensors.Draw(random, rows * d);
            TensorView weight = tensors.F32(w, d);
            TensorView y = tensors.PoisonActivations(rows, d);
            device.Kernels.RmsNorm(tensors.Context, tensors.Activations(x, rows, d), weight, 1e-5f, 1f, y);
            tensors.Tolerance.Check(OracleOps.RmsNorm([.. x], w, 1e-5f, 1), tensors.Read(y), $"width {d}");

            TensorView residual = tensors.Activations(r, rows, d), inPlace = tensors.Activations(x, rows, d);
            device.Kernels.AddRmsNorm(tensors.Context, residual, inPlace, weight, 1e-6f, 0f, inPlace);
            double[] sum = [.. x.Zip(r, (a, b) => (double)(a + b))];
            tensors.Tolerance.Check(sum, tensors.Read(residual), $"residual, width {d}");
            tensors.Tolerance.Check(OracleOps.RmsNorm(sum, w, 1e-6f, 0), tensors.Read(inPlace), $"with residual, width {d}");
            tensors.Verify();
        }
    }

    [Fact]
    public void RmsNorm_of_heads_inside_a_fused_projection_leaves_the_rest_alone()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(12);
        const int T = 5, Heads = 3, D = 20, Width = 100;
        using var tensors = new PoisonedTensors(device, 1 << 16);
        float[] all = tensors.Draw(random, T * Width), w = random.Floats(D);
        TensorView fused = tensors.Activations(all, T, Width);
        TensorView heads = fused.Slice(1, 20, Heads * D).SplitLast(D);
        device.Kernels.RmsNorm(tensors.Context, heads, tensors.F32(w, D), 1e-6f, 0, heads);
        float[] result = tensors.Read(fused);
        double[] expected = [.. all];
        for (int t = 0; t < T; t++)
        {
            double[] inner = [.. all.AsSpan((t * Width) + 20, Heads * D).ToArray()];
            OracleOps.RmsNorm(inner, w, 1e-6f, 0).CopyTo(expected, (t * Width) + 20);
        }

        tensors.Tolerance.Check(expected, result, "heads of a fused projection");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Gated_activation_equals_the_oracle(int kindIndex)
    {
        var kind = (ActivationKind)kindIndex;
        const float Limit = 2.5f;
        Func<double, double, double> activation = kind switch
        {
            ActivationKind.Silu => (gate, up) => OracleOps.Silu(gate) * up,
            ActivationKind.GeluTanh => (gate, up) => OracleOps.GeluTanh(gate) * up,
            ActivationKind.Gelu => (gate, up) => OracleOps.Gelu(gate) * up,
            _ => (gate, up) => OracleMoe.ClampedSwiGlu(gate, up, Limit),
        };
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(13);
        foreach (int f in new[] { 1, 7, 16, 31, 33, 250, 5000 })
        {
            using var tensors = new PoisonedTensors(device, 1 << 16);
            const int T = 7;
            float[] gateUp = random.Floats(T * 2 * f, random.Pick(0.1, 1.0, 4.0, 30.0));
            double[] expected = [.. Enumerable.Range(0, T * f).Select(i => activation(gateUp[(i / f * 2 * f) + (i % f)], gateUp[(i / f * 2 * f) + f + (i % f)]))];
            TensorView y = tensors.Poison(DType.F32, T, f);
            device.Kernels.GatedActivation(tensors.Context, tensors.F32(gateUp, T, 2 * f), kind, y, Limit);
            Tolerance.F32.Check(expected, tensors.Read(y), $"{kind} of {f}");
            tensors.Verify();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Activation_keeps_its_limits(int kindIndex)
    {
        using IDevice device = CreateDevice(1);
        using var tensors = new PoisonedTensors(device, 1 << 16);
        float[] gate = [0, -0f, 88, 89, 104, -88, -104, 1e30f, -1e30f, float.PositiveInfinity, float.NaN, 1e-30f];
        TensorView y = tensors.Poison(DType.F32, 1, gate.Length);
        device.Kernels.GatedActivation(tensors.Context, tensors.F32([.. gate, .. gate.Select(_ => 1f)], 1, 2 * gate.Length), (ActivationKind)kindIndex, y);
        float[] result = tensors.Read(y);
        for (int i = 0; i < gate.Length; i++)
        {
            float expected = float.IsNaN(gate[i]) ? float.NaN : Math.Max(gate[i], 0);
            if (i == gate.Length - 1) expected /= 2;
            if (float.IsNaN(expected)) Assert.True(float.IsNaN(result[i]));
            else if (float.IsInfinity(expected)) Assert.Equal(expected, result[i]);
            else Assert.InRange(result[i], expected - (1e-5f * Math.Abs(expected)) - 1e-30f, expected + (1e-5f * Math.Abs(expected)) + 1e-30f);
        }
    }

    [Fact]
    public void Add_scale_soft_cap_and_gather_equal_the_oracle()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(14);
        foreach ((int rows, int d) in new[] { (1, 1), (3, 17), (2, 64), (40, 3000), (1, 100_003) })
        {
            using var tensors = new PoisonedTensors(device, 1 << 16);
            float[] x = random.Floats(rows * d), y = random.Floats(rows * d, 40);
            TensorView target = tensors.F32(y, rows, d), source = tensors.F32(x, rows, d);
            device.Kernels.Add(tensors.Context, source, target);
            device.Kernels.SoftCap(tensors.Context, target, 30);
            device.Kernels.Scale(tensors.Context, target, 0.25f);
            double[] expected = [.. x.Zip(y, (a, b) => OracleOps.SoftCap(a + b, 30) / 4)];
            Tolerance.F32.Check(expected, tensors.Read(target), $"{rows} x {d}");

            int[] pick = [.. Enumerable.Range(0, 4).Select(_ => random.Next(0, rows))];
            TensorView gathered = tensors.Poison(DType.F32, pick.Length, d);
            device.Kernels.GatherRows(tensors.Context, source, tensors.I32(pick, pick.Length), gathered);
            Assert.Equal(pick.SelectMany(p => x.AsSpan(p * d, d).ToArray()).ToArray(), tensors.Read(gathered));
            tensors.Verify();
        }
    }

    [Fact]
    public void A_row_has_the_same_bits_in_any_batch_and_on_any_number_of_threads()
    {
        var random = new TestRandom(15);
        const int T = 90, D = 1037;
        float[] x = random.Floats(T * 2 * D), w = random.Floats(D);
        float[]? norms = null, activations = null;
        foreach (int threads in new[] { 1, 2, 3 })
        {
            using IDevice device = CreateDevice(threads);
            using var tensors = new PoisonedTensors(device, 1 << 16);
            TensorView input = tensors.F32(x, T, 2 * D), weight = tensors.F32(w, D);
            float[] norm = Run(T, 0, (rows, y) => device.Kernels.RmsNorm(tensors.Context, rows.Slice(1, 0, D), weight, 1e-5f, 0, y));
            float[] activation = Run(T, 0, (rows, y) => device.Kernels.GatedActivation(tensors.Context, rows, ActivationKind.Silu, y));
            norms ??= norm;
            activations ??= activation;
            Assert.Equal(norms, norm);
            Assert.Equal(activations, activation);
            Assert.Equal(norms.AsSpan(7 * D, D).ToArray(), Run(1, 7, (rows, y) => device.Kernels.RmsNorm(tensors.Context, rows.Slice(1, 0, D), weight, 1e-5f, 0, y)));
            Assert.Equal(activations.AsSpan(7 * D, D).ToArray(), Run(1, 7, (rows, y) => device.Kernels.GatedActivation(tensors.Context, rows, ActivationKind.Silu, y)));

            float[] Run(int count, int first, Action<TensorView, TensorView> op)
            {
                TensorView y = tensors.Poison(DType.F32, count, D);
                op(input.Slice(0, first, count), y);
                return tensors.Read(y);
            }
        }
    }
}
