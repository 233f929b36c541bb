using Rocm.Inference.Models;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Tests.Models;

/// <summary>Scales of an fp8 cache that a checkpoint brings along.</summary>
public sealed class CacheScaleTests : IDisposable
{
    private const string Prefix = "model.layers.0.self_attn.";
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("k_scale", "v_scale")]
    [InlineData("attn.k_scale", "attn.v_scale")]
    [InlineData("k_proj.k_scale", "v_proj.v_scale")]
    [InlineData("k_proj.output_scale", "v_proj.output_scale")]
    public void Scales_are_found_under_every_usual_name(string key, string value)
    {
        Write("qwen3", (key, [], [0.5f]), (value, [1], [0.25f]));
        using DecoderPlan plan = Plan(DType.F8E4M3Fn);

        Assert.Equal([0.5f], plan.Sources.Layers[0].CacheScales.Key!);
        Assert.Equal([0.25f], plan.Sources.Layers[0].CacheScales.Value!);
        Assert.Equal(CacheScaleSources.None, plan.Sources.Layers[1].CacheScales);
        Assert.True(Assert.Single(plan.Groups.Groups).Spec.HasKvScales);
        Assert.Empty(plan.UnusedTensors);
    }

    [Fact]
    public void One_scale_for_both_counts_for_both_and_a_head_may_have_its_own()
    {
        Write("qwen3", ("kv_scale", [], [0.5f]));
        using (DecoderPlan plan = Plan(DType.F8E5M2)) Assert.Equal([0.5f, 0.5f], plan.Sources.Layers[0].CacheScales.Vectors.Select(Assert.Single));

        Write("qwen3", ("k_scale", [2], [0.5f, 2f]), ("v_scale", [2], [4f, 8f]));
        using DecoderPlan heads = Plan(DType.F8E4M3Fn);
        Assert.Equal([0.5f, 2f, 4f, 8f], heads.Sources.Layers[0].CacheScales.Vectors.SelectMany(vector => vector));
    }

    [Fact]
    public void The_fnuz_form_doubles_scales_that_were_made_for_fn()
    {
        Write("qwen3", ("k_scale", [1], [0.5f]));
        using DecoderPlan plan = Plan(DType.F8E4M3Fnuz);

        Assert.Equal([1f], plan.Sources.Layers[0].CacheScales.Key!);
        Assert.Null(plan.Sources.Layers[0].CacheScales.Value);
    }

    [Fact]
    public void A_latent_row_has_one_scale()
    {
        Write("deepseek-v3", ("k_scale", [], [0.5f]), ("v_scale", [], [0.25f]));
        using DecoderPlan plan = Plan(DType.F8E4M3Fn);

        Assert.Equal([0.5f], plan.Sources.Layers[0].CacheScales.Key!);
        Assert.Null(plan.Sources.Layers[0].CacheScales.Value);
        Assert.Equal([Prefix + "v_scale"], plan.UnusedTensors);
    }

    [Fact]
    public void Other_caches_do_not_look_at_scales_and_an_fp8_cache_needs_none()
    {
        Write("qwen3", ("k_scale", [1], [float.NaN]));
        using (DecoderPlan plan = Plan(DType.BF16))
        {
            Assert.False(plan.Groups.Groups[0].Spec.HasKvScales);
            Assert.Equal([Prefix + "k_scale"], plan.UnusedTensors);
        }

        Write("qwen3");
        using DecoderPlan fp8 = Plan(DType.F8E4M3Fn);
        Assert.False(fp8.Groups.Groups[0].Spec.HasKvScales);
        Assert.Equal(1, fp8.Groups.Groups[0].Spec.KvDType.ByteSize());
    }

    [Theory]
    [InlineData(new long[] { 1 }, new[] { 0f })]
    [InlineData(new long[] { 1 }, new[] { -1f })]
    [InlineData(new long[] { 1 }, new[] { float.NaN })]
    [InlineData(new long[] { 1 }, new[] { float.PositiveInfinity })]
    [InlineData(new long[] { 2 }, new[] { 1f, 0f })]
    [InlineData(new long[] { 3 }, new[] { 1f, 1f, 1f })]
    [InlineData(new long[] { 1, 1 }, new[] { 1f })]
    public void Scales_that_cannot_be_are_refused(long[] shape, float[] values)
    {
        Write("qwen3", ("k_scale", shape, values));
        Assert.Equal(Prefix + "k_scale", Assert.Throws<ModelLoadException>(() => Plan(DType.F8E4M3Fn)).Tensor);
    }

    private void Write(string golden, params ReadOnlySpan<(string Name, long[] Shape, float[] Values)> scales)
    {
        GoldenCheckpoint.Load(golden).WriteTo(_folder.Path, GoldenWeights.BFloat16);
        string path = _folder.File("model.safetensors");
        List<RawTensor> tensors = [.. RawSafetensors.Read(path)];
        foreach ((string name, long[] shape, float[] values) in scales) tensors.Add(RawTensor.F32(Prefix + name, shape, values));
        File.Delete(path);
        RawSafetensors.Write(path, tensors);
    }

    private DecoderPlan Plan(DType cache) =>
        DecoderPlan.Create(ModelFolder.Open(_folder.Path), new ModelRuntimeSettings(64, cache), DType.F32, ParallelContext.Single);
}
