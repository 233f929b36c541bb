using Rocm.Inference.Devices;

namespace Rocm.Inference.SelfTest;

/// <summary>
/// Narrow models that between them take every path: layouts, cache types, features and weight types, sizes that no tile divides. Small enough for an
/// emulator.
/// </summary>
internal static class SmallModels
{
    // Few rows and many have kernels of their own: the last of each model's numbers is beyond where a HIP device goes over, of experts too.
    private static readonly int[] Tokens = [1, 5, 81];

    // One new token, a fresh prompt, a prompt that goes on, and a row of nothing.
    private static readonly PagedRow[] MixedRows = [new(41, 1), new(0, 19), new(22, 4), new(0, 0)];

    private static readonly PagedRow[] DecodeRows = [new(75, 1), new(0, 1), new(300, 1)];

    public static IEnumerable<ModelShape> All(DType activation) => [Dense(activation), SoftCapped(activation), Windowed(activation), Latent(activation)];

    private static ModelShape Dense(DType activation) => new()
    {
        Hidden = 256,
        Intermediate = 200,
        Vocabulary = 1003,
        WeightTypes = [DType.BF16, DType.F16, DType.F32],
        Tokens = Tokens,
        MixedRows = MixedRows,
        DecodeRows = DecodeRows,
        Attention =
        [
            new(Spec(activation, 8, 2, 128, DType.BF16), KvLayoutKind.Nhd, 16),
            new(Spec(activation, 8, 2, 128, DType.BF16), KvLayoutKind.VectorizedX, 16),
            new(Spec(activation, 8, 2, 128, DType.BF16), KvLayoutKind.Shuffled, 16),
            new(Spec(activation, 3, 3, 80, DType.F16) with { HasAlibi = true }, KvLayoutKind.Nhd, 32),
        ],
    };

    private static ModelShape SoftCapped(DType activation) => new()
    {
        Hidden = 288,
        Intermediate = 136,
        Vocabulary = 520,
        Gate = ActivationKind.GeluTanh,
        EmbeddingScale = MathF.Sqrt(288),
        NormOffset = 1,
        LogitsSoftCap = 30,
        Tokens = [5],
        MixedRows = MixedRows,
        DecodeRows = DecodeRows,
        Attention =
        [
            new(Spec(activation, 4, 2, 256, DType.BF16) with { LogitsSoftCap = 50, SlidingWindow = 33 }, KvLayoutKind.Nhd, 16),
            new(Spec(activation, 7, 1, 64, DType.F8E4M3Fn) with { HasKvScales = true }, KvLayoutKind.Nhd, 16),
            new(Spec(activation, 6, 2, 96, DType.F32), KvLayoutKind.VectorizedX, 8),
        ],
    };

    private static ModelShape Windowed(DType activation) => new()
    {
        Hidden = 192,
        Intermediate = 96,
        Vocabulary = 700,
        Gate = ActivationKind.ClampedSwiGlu,
        Tokens = [1, 91],
        MixedRows = MixedRows,
        DecodeRows = DecodeRows,
        Experts = new MoeShape(new MoeRouting { NumExperts = 8, TopK = 3, Scoring = MoeScoring.SoftmaxOfChosen }, 96, DType.F4E2M1),
        Attention =
        [
            new(Spec(activation, 8, 1, 64, DType.BF16) with { SlidingWindow = 20, HasSinks = true }, KvLayoutKind.Nhd, 16),
            new(Spec(activation, 8, 1, 64, DType.F8E4M3Fnuz) with { HasKvScales = true, HasSinks = true }, KvLayoutKind.VectorizedX, 16),
            new(Spec(activation, 8, 1, 64, DType.F8E5M2) with { HasKvScales = true, SlidingWindow = 20, HasSinks = true }, KvLayoutKind.Shuffled, 32),
        ],
    };

    private static ModelShape Latent(DType activation) => new()
    {
        Hidden = 256,
        Intermediate = 160,
        Vocabulary = 600,
        Gate = ActivationKind.Gelu,
        WeightTypes = [DType.F8E4M3Fn, DType.F8E4M3Fnuz, DType.F8E5M2],
        Tokens = [2, 131],
        MixedRows = MixedRows,
        DecodeRows = DecodeRows,
        Experts = new MoeShape(
            new MoeRouting
            {
                NumExperts = 16,
                TopK = 4,
                Scoring = MoeScoring.Sigmoid,
                Normalizes = true,
                ScalingFactor = 2.5f,
                NumGroups = 4,
                TopKGroups = 2,
                GroupScore = MoeGroupScore.SumOfTwoBest,
            },
            128, DType.F8E4M3Fn, HasChoiceBias: true),
        Attention =
        [
            new(LatentSpec(activation, 16, DType.BF16), KvLayoutKind.MlaLatent, 16),
            new(LatentSpec(activation, 5, DType.F8E4M3Fn) with { HasKvScales = true }, KvLayoutKind.MlaLatent, 16),
        ],
    };

    internal static AttentionSpec Spec(DType activation, int heads, int kvHeads, int dim, DType cache) => new()
    {
        NumQoHeads = heads,
        NumKvHeads = kvHeads,
        HeadDim = dim,
        VHeadDim = dim,
        SoftmaxScale = (float)(1 / Math.Sqrt(dim)),
        DType = activation,
        KvDType = cache,
        MaxSeqLen = 8192,
    };

    /// <summary>DeepSeek's latent attention: 512 + 64, heads of 128 + 64 and 128.</summary>
    internal static AttentionSpec LatentSpec(DType activation, int heads, DType cache) => new()
    {
        Kind = AttentionKind.Mla,
        NumQoHeads = heads,
        NumKvHeads = 1,
        HeadDim = 192,
        VHeadDim = 128,
        SoftmaxScale = (float)(1 / Math.Sqrt(192)),
        DType = activation,
        KvDType = cache,
        KvLoraRank = 512,
        QkRopeHeadDim = 64,
        QkNopeHeadDim = 128,
        MaxSeqLen = 8192,
    };
}
