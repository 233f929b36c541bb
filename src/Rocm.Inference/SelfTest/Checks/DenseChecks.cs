using Rocm.Inference.Devices;
using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>Norms, activations and element-wise ops.</summary>
internal static class DenseChecks
{
    private const int MostRows = 16;
    private const float Eps = 1e-6f;

    public static IEnumerable<SelfTestCheck> Of(ModelShape model)
    {
        int tokens = model.Tokens[^1];
        yield return RmsNorm(tokens, model.Hidden, model.NormOffset);
        yield return AddRmsNorm(tokens, model.Hidden, model.NormOffset);
        foreach (AttentionSpec spec in model.Attention.Select(shape => shape.Spec).Where(spec => spec.Kind == AttentionKind.Mha).Take(1))
            yield return HeadNorm(tokens, spec.NumQoHeads, spec.HeadDim, model.NormOffset);
        yield return Gated(tokens, model.Intermediate, model.Gate);
        yield return Add(tokens, model.Hidden);
        yield return GatherRows(tokens, model.Hidden);
        yield return Map(nameof(IKernels.Scale), DType.F32, model.DecodeRows.Count, model.Vocabulary, x => x * 0.75, (c, x) => c.Device.Kernels.Scale(c, x, 0.75f));
        if (model.LogitsSoftCap > 0)
        {
            yield return Map(
                nameof(IKernels.SoftCap), DType.F32, model.DecodeRows.Count, model.Vocabulary,
                x => ReferenceDense.SoftCap(x, model.LogitsSoftCap), (c, x) => c.Device.Kernels.SoftCap(c, x, model.LogitsSoftCap));
        }

        if (model.Experts is not null) yield return GateRows(tokens, model.Hidden);
    }

    public static SelfTestCheck RmsNorm(int tokens, int d, float offset) => new(nameof(IKernels.RmsNorm), $"[{tokens}, {d}]{Offset(offset)}", lane =>
    {
        HostTensor x = lane.Draw(tokens, d);
        float[] weight = lane.Random.Floats(d);
        TensorView input = lane.Upload(x), w = lane.Upload(weight), y = lane.Poison(lane.Activation, tokens, d);
        return new PreparedCheck(c => c.Device.Kernels.RmsNorm(c, input, w, Eps, offset, y), () =>
        {
            HostTensor result = lane.Download(y);
            ErrorMeter meter = ErrorMeter.Of(lane.Activation);
            for (int t = 0; t < tokens; t++) meter.Add(ReferenceDense.RmsNorm(x.Read(t * (long)d, d), weight, Eps, offset), result.Read(t * (long)d, d));
            return meter.Worst();
        }, (2L * x.Bytes.Length) + (d * 4L));
    });

    // Heads of q inside a fused projection, in place.
    private static SelfTestCheck HeadNorm(int tokens, int heads, int d, float offset) => new(nameof(IKernels.RmsNorm), $"[{tokens}, {heads}, {d}] inside wider rows{Offset(offset)}", lane =>
    {
        HostTensor x = lane.Draw(tokens, heads * (long)d);
        float[] weight = lane.Random.Floats(d);
        TensorView rows = lane.UploadStrided(x, 24), q = rows.SplitLast(d), w = lane.Upload(weight);
        var whole = new TensorView(rows.Buffer, rows.ByteOffset, rows.DType, tokens, rows.Stride(0));
        return new PreparedCheck(c => c.Device.Kernels.RmsNorm(c, q, w, Eps, offset, q), () =>
        {
            HostTensor result = lane.Download(whole);
            long width = whole.Dim(1);
            ErrorMeter meter = ErrorMeter.Of(lane.Activation);
            for (int t = 0; t < tokens; t++)
            {
                for (int h = 0; h < heads; h++)
                    meter.Add(ReferenceDense.RmsNorm(x.Read(((t * (long)heads) + h) * d, d), weight, Eps, offset), result.Read((t * width) + (h * d), d));
                foreach (double between in result.Read((t * width) + (heads * d), width - (heads * d))) meter.Require(double.IsNaN(between));
            }

            return meter.Worst();
        }, (2L * x.Bytes.Length) + (d * 4L));
    });

    private static SelfTestCheck AddRmsNorm(int tokens, int d, float offset) => new(nameof(IKernels.AddRmsNorm), $"[{tokens}, {d}]{Offset(offset)}", lane =>
    {
        HostTensor x = lane.Draw(tokens, d), r = lane.Draw(tokens, d);
        float[] weight = lane.Random.Floats(d);
        TensorView input = lane.Upload(x), residual = lane.Upload(r), w = lane.Upload(weight), y = lane.Poison(lane.Activation, tokens, d);
        return new PreparedCheck(c => c.Device.Kernels.AddRmsNorm(c, residual, input, w, Eps, offset, y), () =>
        {
            HostTensor sums = lane.Download(residual), result = lane.Download(y);
            ErrorMeter sumMeter = ErrorMeter.Of(lane.Activation), meter = ErrorMeter.Of(lane.Activation);
            for (int t = 0; t < tokens; t++)
            {
                double[] sum = [.. x.Read(t * (long)d, d).Zip(r.Read(t * (long)d, d), (a, b) => a + b)];
                sumMeter.Add(sum, sums.Read(t * (long)d, d));
                meter.Add(ReferenceDense.RmsNorm(sum, weight, Eps, offset), result.Read(t * (long)d, d));
            }

            return Math.Max(sumMeter.Worst(), meter.Worst());
        }, (4L * x.Bytes.Length) + (d * 4L));
    });

    public static SelfTestCheck Gated(int tokens, int f, ActivationKind kind) => new(nameof(IKernels.GatedActivation), $"{kind} [{tokens}, {f}]", lane =>
    {
        const float Limit = 2.5f;
        HostTensor both = lane.Random.Tensor(lane.Activation, 2, tokens, 2L * f);
        TensorView input = lane.Upload(both), y = lane.Poison(lane.Activation, tokens, f);
        return new PreparedCheck(c => c.Device.Kernels.GatedActivation(c, input, kind, y, Limit), () =>
        {
            HostTensor result = lane.Download(y);
            ErrorMeter meter = ErrorMeter.Of(lane.Activation);
            foreach (int t in lane.Sample(tokens, MostRows))
            {
                for (int i = 0; i < f; i++)
                    meter.Add(ReferenceDense.Gated(kind, both[(t * 2L * f) + i], both[(t * 2L * f) + f + i], Limit), result[(t * (long)f) + i]);
            }

            return meter.Worst();
        }, both.Bytes.Length * 3L / 2);
    });

    private static SelfTestCheck Add(int tokens, int d) => new(nameof(IKernels.Add), $"[{tokens}, {d}]", lane =>
    {
        HostTensor x = lane.Draw(tokens, d), y = lane.Draw(tokens, d);
        TensorView input = lane.Upload(x), target = lane.Upload(y);
        return new PreparedCheck(c => c.Device.Kernels.Add(c, input, target), () =>
        {
            HostTensor result = lane.Download(target);
            ErrorMeter meter = ErrorMeter.Of(lane.Activation);
            for (long i = 0; i < x.Count; i++) meter.Add(x[i] + y[i], result[i]);
            return meter.Worst();
        }, 3L * x.Bytes.Length);
    });

    private static SelfTestCheck GatherRows(int tokens, int d) => new(nameof(IKernels.GatherRows), $"{Math.Min(tokens, 64)} rows of [{tokens}, {d}]", lane =>
    {
        int[] rows = [.. Enumerable.Range(0, Math.Min(tokens, 64)).Select(_ => lane.Random.Next(0, tokens))];
        HostTensor x = lane.Draw(tokens, d);
        TensorView input = lane.Upload(x), indices = lane.Upload(rows), y = lane.Poison(lane.Activation, rows.Length, d);
        return new PreparedCheck(c => c.Device.Kernels.GatherRows(c, input, indices, y), () =>
        {
            HostTensor result = lane.Download(y);
            ErrorMeter meter = ErrorMeter.SinglePrecision();
            for (int r = 0; r < rows.Length; r++)
            {
                for (int i = 0; i < d; i++) meter.Require(x.GetBits((rows[r] * (long)d) + i) == result.GetBits((r * (long)d) + i));
            }

            return meter.Worst();
        }, 2L * rows.Length * d * lane.Activation.ByteSize());
    });

    /// <summary>An op on every element, in place.</summary>
    private static SelfTestCheck Map(string kernel, DType dtype, int rows, int width, Func<double, double> expected, Action<DeviceContext, TensorView> op) =>
        new(kernel, $"[{rows}, {width}] {dtype}", lane =>
        {
            HostTensor x = lane.Random.Tensor(dtype, 20, rows, width);
            TensorView target = lane.Upload(x);
            return new PreparedCheck(c => op(c, target), () =>
            {
                HostTensor result = lane.Download(target);
                ErrorMeter meter = ErrorMeter.Of(dtype);
                for (long i = 0; i < x.Count; i++) meter.Add(expected(x[i]), result[i]);
                return meter.Worst();
            }, 2L * x.Bytes.Length);
        });

    private static SelfTestCheck GateRows(int tokens, int d) => new(nameof(IKernels.GateRows), $"[{tokens}, {d}]", lane =>
    {
        HostTensor gate = lane.Draw(tokens, 1), x = lane.Draw(tokens, d);
        TensorView gates = lane.Upload(gate), target = lane.Upload(x);
        return new PreparedCheck(c => c.Device.Kernels.GateRows(c, gates, target), () =>
        {
            HostTensor result = lane.Download(target);
            ErrorMeter meter = ErrorMeter.Of(lane.Activation);
            for (long i = 0; i < x.Count; i++) meter.Add(x[i] * ReferenceDense.Sigmoid(gate[i / d]), result[i]);
            return meter.Worst();
        }, 2L * x.Bytes.Length);
    });

    private static string Offset(float offset) => offset == 0 ? "" : $", weight + {offset:0}";
}
