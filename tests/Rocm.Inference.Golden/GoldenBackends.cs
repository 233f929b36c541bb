using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>Golden checkpoints with the attention backends of their kind.</summary>
internal static class GoldenBackends
{
    /// <summary>What the backends can differ in: GQA, head norms, windows, soft-caps, sinks, experts, latent attention.</summary>
    private static readonly string[] Varied =
        ["deepseek-v2", "deepseek-v2-grouped", "deepseek-v3", "gemma2", "gemma3", "gpt-oss", "mistral", "mixtral", "phi4-mini", "qwen2-moe", "qwen3-moe"];

    /// <summary>Every checkpoint with every backend.</summary>
    public static TheoryData<string, string> All => Pairs(GoldenCheckpoint.Names);

    /// <summary>Every checkpoint with the first backend of its kind, those that exercise every feature with all.</summary>
    public static TheoryData<string, string> Sparse
    {
        get
        {
            TheoryData<string, string> data = Pairs(Varied);
            foreach (string name in GoldenCheckpoint.Names.Except(Varied)) data.Add(name, TestBackends.Names(KindOf(name))[0]);
            return data;
        }
    }

    /// <summary>Checkpoints that exercise every feature with every backend.</summary>
    public static TheoryData<string, string> VariedPairs => Pairs(Varied);

    public static AttentionKind KindOf(string name) => name.StartsWith("deepseek", StringComparison.Ordinal) ? AttentionKind.Mla : AttentionKind.Mha;

    /// <summary>True for backends that compute a token by the same path whatever the step: the same bits however a prompt is cut.</summary>
    public static bool HasOnePath(string backend) => backend is AttentionBackendNames.TritonAttn or AttentionBackendNames.RocmAiterUnifiedAttn;

    private static TheoryData<string, string> Pairs(IEnumerable<string> names)
    {
        var data = new TheoryData<string, string>();
        foreach (string name in names)
        {
            foreach (string backend in TestBackends.Names(KindOf(name))) data.Add(name, backend);
        }

        return data;
    }
}
