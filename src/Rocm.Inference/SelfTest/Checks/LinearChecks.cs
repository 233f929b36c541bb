using Rocm.Inference.Devices;
using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>Products with weights: projections, the LM head, embeddings, per-head projections of latent attention.</summary>
internal static class LinearChecks
{
    private const int MostRows = 4;

    public static IEnumerable<SelfTestCheck> Of(ModelShape model)
    {
        foreach (DType type in model.WeightTypes)
        {
            for (int i = 0; i < model.Tokens.Count; i++)
                yield return Linear(type, model.Tokens[i], model.Hidden, model.Intermediate, hasBias: i % 2 == 0, accumulate: i % 2 == 1, toLogits: false);
        }

        // LM head and router are matrices of the checkpoint's plain type, and their logits are f32 on every device.
        DType plain = Plain(model);
        yield return Linear(plain, model.DecodeRows.Count, model.Hidden, model.Vocabulary, hasBias: false, accumulate: false, toLogits: true);
        if (model.Experts is { } experts)
            yield return Linear(plain, model.Tokens[^1], model.Hidden, experts.Routing.NumExperts, hasBias: true, accumulate: false, toLogits: true);
        yield return Embedding(plain, model.Tokens[^1], model.Vocabulary, model.Hidden, model.EmbeddingScale);
        foreach (AttentionSpec spec in model.Attention.Select(shape => shape.Spec).Where(spec => spec.Kind == AttentionKind.Mla).Take(1))
        {
            int tokens = model.Tokens[^1];
            yield return LinearPerHead(plain, tokens, spec.NumQoHeads, spec.QkNopeHeadDim, spec.KvLoraRank, isTransposed: true);
            yield return LinearPerHead(plain, tokens, spec.NumQoHeads, spec.KvLoraRank, spec.VHeadDim, isTransposed: false);
        }
    }

    private static DType Plain(ModelShape model) =>
        model.WeightTypes.FirstOrDefault(type => type is DType.BF16 or DType.F16 or DType.F32, DType.BF16);

    public static SelfTestCheck Linear(DType type, int tokens, int k, int n, bool hasBias, bool accumulate, bool toLogits) => new(
        nameof(IKernels.Linear),
        $"[{tokens}, {k}] x {type}[{n}, {k}]{(hasBias ? " + bias" : "")}{(accumulate ? ", added" : "")}{(toLogits ? ", to f32" : "")}",
        lane =>
        {
            HostTensor x = lane.Draw(tokens, k);
            var weight = new HostWeight(lane.Random, type, n, k);
            float[]? bias = hasBias ? lane.Random.Floats(n, 4) : null;
            PackedWeight packed = lane.Own(lane.Device.Pack(new WeightSource(new[] { weight.Matrix }, bias)));
            DType result = toLogits ? DType.F32 : lane.Activation;
            HostTensor before = accumulate ? lane.Random.Tensor(result, 10, tokens, n) : HostTensor.Poisoned(result, tokens, n);
            TensorView input = lane.Upload(x), y = lane.Upload(before);
            return new PreparedCheck(
                c => c.Device.Kernels.Linear(c, input, packed, y, accumulate),
                () => CompareProduct(MeterOf(lane, packed, tokens), lane.Sample(tokens, MostRows), x, weight, bias, accumulate ? before : null, lane.Download(y)),
                weight.SizeBytes + x.Bytes.Length + ((accumulate ? 2L : 1L) * before.Bytes.Length));
        });

    private static ErrorMeter MeterOf(SelfTestLane lane, PackedWeight weight, int rows) =>
        lane.Device.RoundsInputs(weight, rows) ? ErrorMeter.OfRoundedInputs() : ErrorMeter.Of(lane.Activation);

    /// <summary>Some rows of a product; all of it must be numbers.</summary>
    private static double CompareProduct(ErrorMeter meter, int[] rows, HostTensor x, HostWeight weight, float[]? bias, HostTensor? before, HostTensor y)
    {
        int k = (int)x.Shape[1], n = (int)y.Shape[1];
        double[][] inputs = [.. rows.Select(row => x.Read(row * (long)k, k))];
        var w = new double[k];
        for (int j = 0; j < n; j++)
        {
            weight.ReadRow(j, w);
            for (int i = 0; i < rows.Length; i++)
            {
                long at = (rows[i] * (long)n) + j;
                meter.Add(ReferenceDense.Dot(inputs[i], w) + (bias?[j] ?? 0) + (before?[at] ?? 0), y[at]);
            }
        }

        meter.Require(y.IsFinite(0, y.Count));
        return meter.Worst();
    }

    public static SelfTestCheck Embedding(DType type, int tokens, int vocabulary, int hidden, float scale) => new(
        nameof(IKernels.Embedding), $"{tokens} rows of {type}[{vocabulary}, {hidden}]{(scale == 1 ? "" : $" times {scale:0.##}")}", lane =>
        {
            var table = new HostWeight(lane.Random, type, vocabulary, hidden);
            int[] ids = [0, vocabulary - 1, .. Enumerable.Range(0, tokens).Select(_ => lane.Random.Next(0, vocabulary))];
            PackedWeight packed = lane.Own(lane.Device.Pack(new WeightSource(new[] { table.Matrix })));
            TensorView indices = lane.Upload(ids), y = lane.Poison(lane.Activation, ids.Length, hidden);
            return new PreparedCheck(c => c.Device.Kernels.Embedding(c, indices, packed, scale, y), () =>
            {
                HostTensor result = lane.Download(y);
                var row = new double[hidden];
                ErrorMeter meter = ErrorMeter.Of(lane.Activation);
                for (int t = 0; t < ids.Length; t++)
                {
                    table.ReadRow(ids[t], row);
                    for (int i = 0; i < hidden; i++) meter.Add(row[i] * scale, result[(t * (long)hidden) + i]);
                }

                return meter.Worst();
            }, ids.Length * (long)hidden * (type.ByteSize() + lane.Activation.ByteSize()));
        });

    // A head's weights are rows of one matrix, read along its columns for W_UK; outputs lie between other columns.
    public static SelfTestCheck LinearPerHead(DType type, int tokens, int heads, int k, int n, bool isTransposed) => new(
        nameof(IKernels.LinearPerHead), $"[{tokens}, {heads}, {k}] x {type}[{n}, {k}] of each head{(isTransposed ? ", transposed" : "")}", lane =>
        {
            HostTensor x = lane.Draw(tokens, heads, k);
            HostWeight[] weights = [.. Enumerable.Range(0, heads).Select(_ => new HostWeight(lane.Random, type, n, k, isTransposed))];
            PackedWeightGroup packed = lane.Own(lane.Device.PackGroup([.. weights.Select(w => new WeightSource(new[] { w.Matrix }))]));
            TensorView input = lane.UploadStrided(x, 8), y = lane.Poison(lane.Activation, tokens, heads, n);
            return new PreparedCheck(c => c.Device.Kernels.LinearPerHead(c, input, packed, y), () =>
            {
                HostTensor result = lane.Download(y);
                var w = new double[k];
                int[] sample = lane.Sample(tokens, MostRows);
                ErrorMeter meter = ErrorMeter.Of(lane.Activation);
                for (int h = 0; h < heads; h++)
                {
                    double[][] inputs = [.. sample.Select(t => x.Read(((t * (long)heads) + h) * k, k))];
                    for (int j = 0; j < n; j++)
                    {
                        weights[h].ReadRow(j, w);
                        for (int i = 0; i < sample.Length; i++)
                            meter.Add(ReferenceDense.Dot(inputs[i], w), result[(((sample[i] * (long)heads) + h) * n) + j]);
                    }
                }

                meter.Require(result.IsFinite(0, result.Count));
                return meter.Worst();
            }, weights.Sum(w => w.SizeBytes) + x.Bytes.Length + (tokens * (long)heads * n * lane.Activation.ByteSize()));
        });
}
