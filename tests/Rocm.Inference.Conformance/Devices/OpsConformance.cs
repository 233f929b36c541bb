using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Norms, activations and element-wise ops of a device against the oracle.</summary>
public abstract class OpsConformance
{
    /// <summary>Numbers of threads that a device may have; what has no such number runs once.</summary>
    protected virtual int[] Threads => [1, 2, 3];

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
            float[] gateUp = tensors.Draw(random, T * 2 * f, random.Pick(0.1, 1.0, 4.0, 30.0));
            double[] expected = [.. Enumerable.Range(0, T * f).Select(i => activation(gateUp[(i / f * 2 * f) + (i % f)], gateUp[(i / f * 2 * f) + f + (i % f)]))];
            TensorView y = tensors.PoisonActivations(T, f);
            device.Kernels.GatedActivation(tensors.Context, tensors.Activations(gateUp, T, 2 * f), kind, y, Limit);
            tensors.Tolerance.Check(expected, tensors.Read(y), $"{kind} of {f}");
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
        float[] gate = tensors.Round([0, -0f, 88, 89, 104, -88, -104, 1e30f, -1e30f, float.PositiveInfinity, float.NaN, 1e-30f]);
        double relative = Math.Max(tensors.Tolerance.Relative / 2, 1e-5);
        TensorView y = tensors.PoisonActivations(1, gate.Length);
        device.Kernels.GatedActivation(tensors.Context, tensors.Activations([.. gate, .. gate.Select(_ => 1f)], 1, 2 * gate.Length), (ActivationKind)kindIndex, y);
        float[] result = tensors.Read(y);
        for (int i = 0; i < gate.Length; i++)
        {
            float expected = float.IsNaN(gate[i]) ? float.NaN : Math.Max(gate[i], 0);
            if (i == gate.Length - 1) expected /= 2;
            if (float.IsNaN(expected)) Assert.True(float.IsNaN(result[i]));
            else if (float.IsInfinity(expected)) Assert.Equal(expected, result[i]);
            else Assert.InRange(result[i], expected - (relative * Math.Abs(expected)) - 1e-30, expected + (relative * Math.Abs(expected)) + 1e-30);
        }
    }

    [Fact]
    public void Add_scale_soft_cap_and_gather_equal_the_oracle()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(14);

        // Activations, and logits.
        foreach (DType dtype in new[] { device.ActivationDType, DType.F32 }.Distinct())
        {
            foreach ((int rows, int d) in new[] { (1, 1), (3, 17), (2, 64), (40, device.Kind == DeviceKind.Cpu ? 3000 : 300), (1, device.Kind == DeviceKind.Cpu ? 100_003 : 10_003) })
            {
                using var tensors = new PoisonedTensors(device, 1 << 16);
                float[] x = tensors.Draw(random, rows * d), y = tensors.Draw(random, rows * d, 40);
                TensorView target = tensors.Of(dtype, y, rows, d), source = tensors.Of(dtype, x, rows, d);
                device.Kernels.Add(tensors.Context, source, target);
                float[] sum = tensors.Read(target);
                PoisonedTensors.ToleranceOf(dtype).Check([.. x.Zip(y, (a, b) => (double)(a + b))], sum, $"sum, {rows} x {d} {dtype}");
                device.Kernels.SoftCap(tensors.Context, target, 30);
                float[] capped = tensors.Read(target);
                PoisonedTensors.ToleranceOf(dtype).Check([.. sum.Select(v => OracleOps.SoftCap(v, 30))], capped, $"{rows} x {d} {dtype}");
                device.Kernels.Scale(tensors.Context, target, 0.25f);
                Assert.Equal(capped.Select(v => v / 4), tensors.Read(target));

                int[] pick = [.. Enumerable.Range(0, 4).Select(_ => random.Next(0, rows))];
                TensorView gathered = tensors.Poison(dtype, pick.Length, d);
                device.Kernels.GatherRows(tensors.Context, source, tensors.I32(pick, pick.Length), gathered);
                Assert.Equal(pick.SelectMany(p => x.AsSpan(p * d, d).ToArray()).ToArray(), tensors.Read(gathered));
                tensors.Verify();
            }
        }
    }

    [Fact]
    public void Rows_may_be_parts_of_wider_ones_at_any_distance()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(16);
        foreach ((int d, int width, int first) in new[] { (16, 40, 8), (23, 61, 3), (64, 65, 1), (5, 11, 6) })
        {
            using var tensors = new PoisonedTensors(device, 1 << 16);
            const int T = 3;
            float[] x = tensors.Draw(random, T * 2 * width), y = tensors.Draw(random, T * width);
            TensorView source = tensors.Activations(x, T, 2 * width), target = tensors.Activations(y, T, width), activated = tensors.Activations(y, T, width);
            device.Kernels.Add(tensors.Context, source.Slice(1, first, d), target.Slice(1, width - d, d));
            device.Kernels.GatedActivation(tensors.Context, source.Slice(1, first, 2 * d), ActivationKind.Silu, activated.Slice(1, width - d, d));
            double[] sums = [.. y], products = [.. y];
            for (int i = 0; i < T * d; i++)
            {
                int at = (i / d * width) + width - d + (i % d), from = (i / d * 2 * width) + first + (i % d);
                sums[at] += x[from];
                products[at] = OracleOps.Silu(x[from]) * x[from + d];
            }

            tensors.Tolerance.Check(sums, tensors.Read(target), $"sum of {d} in {width} from {first}");
            tensors.Tolerance.Check(products, tensors.Read(activated), $"activation of {d} in {width} from {first}");
            tensors.Verify();
        }
    }

    [Fact]
    public void A_row_has_the_same_bits_in_any_batch_and_on_any_number_of_threads()
    {
        var random = new TestRandom(15);
        const int T = 90, D = 1037;
        float[] draws = random.Floats(T * 2 * D), w = random.Floats(D);
        float[]? norms = null, activations = null;
        foreach (int threads in Threads)
        {
            using IDevice device = CreateDevice(threads);
            using var tensors = new PoisonedTensors(device, 1 << 16);
            TensorView input = tensors.Activations(tensors.Round(draws), T, 2 * D), weight = tensors.F32(w, D);
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
                TensorView y = tensors.PoisonActivations(count, D);
                op(input.Slice(0, first, count), y);
                return tensors.Read(y);
            }
        }
    }
}
