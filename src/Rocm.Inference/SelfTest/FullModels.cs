using Rocm.Inference.Devices;

namespace Rocm.Inference.SelfTest;

/// <summary>Layers of real models, with caches and weights well beyond what a GPU's own caches hold.</summary>
internal static class FullModels
{
    private static readonly PagedRow[] MixedRows = [new(3000, 1), new(0, 1000), new(1024, 500), new(4000, 1)];

    private static readonly PagedRow[] DecodeRows = [.. Enumerable.Range(0, 16).Select(row => new PagedRow(4000 - (row * 37), 1))];

    public static IEnumerable<ModelShape> All(DType activation) => [Dense(activation), Windowed(activation), Latent(activation)];

    // As in Llama 3.1 8B.
    private static ModelShape Dense(DType activation) => new()
    {
        Hidden = 4096,
        Intermediate = 14336,
        Vocabulary = 128256,
        WeightTypes = [DType.BF16, DType.F8E4M3Fn],
        Tokens = [1, 16, 1024],
        MixedRows = MixedRows,
        DecodeRows = DecodeRows,
        Attention = [.. ((KvLayoutKind[])[KvLayoutKind.Nhd, KvLayoutKind.VectorizedX, KvLayoutKind.Shuffled]).SelectMany(layout => (AttentionShape[])
        [
            new(SmallModels.Spec(activation, 32, 8, 128, DType.BF16), layout, 16),
            new(SmallModels.Spec(activation, 32, 8, 128, DType.F8E4M3Fn) with { HasKvScales = true }, layout, 16),
        ])],
    };

    // As in gpt-oss-20b, but for the LM head.
    private static ModelShape Windowed(DType activation) => new()
    {
        Hidden = 2880,
        Intermediate = 2880,
        Vocabulary = 16384,
        Gate = ActivationKind.ClampedSwiGlu,
        Tokens = [1, 16, 512],
        MixedRows = MixedRows,
        DecodeRows = DecodeRows,
        Experts = new MoeShape(new MoeRouting { NumExperts = 32, TopK = 4, Scoring = MoeScoring.SoftmaxOfChosen }, 2880, DType.F4E2M1),
        Attention =
        [
            new(SmallModels.Spec(activation, 64, 8, 64, DType.BF16) with { HasSinks = true }, KvLayoutKind.Nhd, 16),
            new(SmallModels.Spec(activation, 64, 8, 64, DType.BF16) with { HasSinks = true, SlidingWindow = 128 }, KvLayoutKind.Nhd, 16),
        ],
    };

    // As in DeepSeek V2 Lite, with the routing of V3, but for the LM head.
    private static ModelShape Latent(DType activation) => new()
    {
        Hidden = 2048,
        Intermediate = 10944,
        Vocabulary = 16384,
        Tokens = [1, 16, 512],
        MixedRows = MixedRows,
        DecodeRows = DecodeRows,
        Experts = new MoeShape(
            new MoeRouting
            {
                NumExperts = 64,
                TopK = 6,
                Scoring = MoeScoring.Sigmoid,
                Normalizes = true,
                ScalingFactor = 2.5f,
                NumGroups = 8,
                TopKGroups = 4,
                GroupScore = MoeGroupScore.SumOfTwoBest,
            },
            1408, DType.BF16, HasChoiceBias: true),
        Attention = [new(SmallModels.LatentSpec(activation, 16, DType.BF16), KvLayoutKind.MlaLatent, 16), new(SmallModels.LatentSpec(activation, 128, DType.BF16), KvLayoutKind.MlaLatent, 16)],
    };
}
