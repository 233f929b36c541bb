using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>
/// One layer's scales of an fp8 cache, [1] or [KV heads]: stored value · scale = value. Null = 1. Found under the names that checkpoints
/// which were calibrated for vLLM use.
/// </summary>
internal sealed record CacheScaleSources(float[]? Key, float[]? Value)
{
    // Made by llm-compressor and AutoFP8; by vLLM itself; by ModelOpt and older ones; by Quark.
    private static readonly string[] KeyNames = ["k_scale", "attn.k_scale", "k_proj.k_scale", "k_proj.output_scale", "kv_scale", "attn.kv_scale"];
    private static readonly string[] ValueNames = ["v_scale", "attn.v_scale", "v_proj.v_scale", "v_proj.output_scale", "kv_scale", "attn.kv_scale"];

    public static CacheScaleSources None { get; } = new(null, null);

    public IEnumerable<float[]> Vectors => new[] { Key, Value }.OfType<float[]>();

    /// <summary>True when the layer has any.</summary>
    public bool Any => Key is not null || Value is not null;

    /// <exception cref="ModelLoadException">A scale has another shape than it can have, or is not positive.</exception>
    public static CacheScaleSources Resolve(AttentionLayerSpec spec, DType kvDType, ITensorSource weights, string prefix)
    {
        if (!kvDType.IsFloat8()) return None;
        int heads = spec is MhaSpec mha ? mha.NumKvHeads : 1;

        // Calibrated for e4m3fn, whose largest value is 448; that of fnuz is 240, and the same byte means half as much.
        float factor = kvDType == DType.F8E4M3Fnuz ? 2 : 1;
        return new CacheScaleSources(Find(KeyNames), spec is MlaSpec ? null : Find(ValueNames));

        float[]? Find(string[] names)
        {
            foreach (string name in names)
            {
                if (weights.Find(prefix + name) is not { } tensor) continue;
                float[] values = tensor.Shape.Count == 0 ? weights.Values(prefix + name)
                    : weights.Vector(prefix + name, tensor.Shape.SequenceEqual([heads]) ? heads : 1);
                foreach (ref float value in values.AsSpan())
                {
                    if (!float.IsFinite(value) || value <= 0)
                        throw new ModelLoadException("A scale of the KV cache cannot be used.", weights.Path, prefix + name, "a positive number", $"{value}");
                    value *= factor;
                }

                return values;
            }

            return null;
        }
    }
}
