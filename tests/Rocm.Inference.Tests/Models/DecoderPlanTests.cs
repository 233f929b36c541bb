using Rocm.Inference.Models;
using Xunit;

namespace Rocm.Inference.Tests.Models;

public sealed class DecoderPlanTests : IDisposable
{
    private static readonly ModelRuntimeSettings Settings = new(MaxSeqLen: 32, KvDType: DType.BF16);
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Memory_is_known_from_the_headers()
    {
        Write(TinyLlama.Config, TinyLlama.Tensors);
        using DecoderPlan plan = Create();

        // Matrices of 4-byte elements: embedding, q, k, v, o, gate, up, down, head. Three norms of 64 bytes. Rope: 32 positions of 4 elements.
        long matrices = 4 * (128 + 64 + 32 + 32 + 64 + 96 + 96 + 96 + 128);
        Assert.Equal(matrices, plan.MatrixBytes);
        Assert.Equal(matrices + (3 * 64) + (32 * 4 * 4), plan.WeightBytes);
        Assert.Empty(plan.UnusedTensors);
        Assert.Equal(DType.BF16, Assert.Single(plan.Groups.Groups).Spec.KvDType);
        Assert.Equal(32, plan.Groups.Groups[0].Spec.MaxSeqLen);
    }

    [Fact]
    public void Every_tensor_that_is_missing_is_named_with_its_shape()
    {
        foreach ((string name, int[] shape) in TinyLlama.Tensors)
        {
            Write(TinyLlama.Config, [.. TinyLlama.Tensors.Where(tensor => tensor.Name != name)]);

            var e = Assert.Throws<ModelLoadException>(Create);

            Assert.Equal((name, $"[{string.Join(", ", shape)}]"), (e.Tensor, e.Expected));
        }
    }

    [Fact]
    public void Every_tensor_of_a_wrong_shape_is_named()
    {
        foreach ((string name, int[] shape) in TinyLlama.Tensors)
        {
            int[] wrong = [shape[0] + 1, .. shape[1..]];
            Write(TinyLlama.Config, [.. TinyLlama.Tensors.Select(tensor => tensor.Name == name ? (name, wrong) : tensor)]);

            Assert.Equal(name, Assert.Throws<ModelLoadException>(Create).Tensor);
        }
    }

    [Fact]
    public void A_tied_head_needs_no_tensor_of_its_own_and_one_that_is_there_is_left_over()
    {
        Write(TinyLlama.With(("tie_word_embeddings", "true")), TinyLlama.Tensors);
        using DecoderPlan plan = Create();

        Assert.Equal(["lm_head.weight"], plan.UnusedTensors);
    }

    [Fact]
    public void A_bias_that_the_config_does_not_mention_is_refused()
    {
        Write(TinyLlama.Config, [.. TinyLlama.Tensors, ("model.layers.0.self_attn.q_proj.bias", [8])]);

        Assert.Equal("model.layers.0.self_attn.q_proj.bias", Assert.Throws<ModelLoadException>(Create).Tensor);
    }

    [Fact]
    public void Vision_tensors_beside_a_language_model_are_left_over()
    {
        (string, int[])[] text = [.. TinyLlama.Tensors.Select(tensor => ("language_model." + tensor.Name, tensor.Shape))];
        Write(TinyLlama.Config, [.. text, ("vision_tower.patch.weight", [2, 2])]);
        using DecoderPlan plan = Create();

        Assert.Equal(["vision_tower.patch.weight"], plan.UnusedTensors);
    }

    [Fact]
    public void Billions_of_elements_in_the_config_meet_the_real_shape_before_anything_is_allocated()
    {
        Write(TinyLlama.With(("vocab_size", "16777216"), ("hidden_size", "1048576"), ("head_dim", "4096")), TinyLlama.Tensors);

        Assert.Equal("model.embed_tokens.weight", Assert.Throws<ModelLoadException>(Create).Tensor);
    }

    [Fact]
    public void A_refused_or_disposed_plan_leaves_the_folder_unmapped()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The list of mappings is read from /proc.");
        Write(TinyLlama.Config, TinyLlama.Tensors[..^1]);
        Assert.Throws<ModelLoadException>(Create);
        Assert.False(IsMapped());

        Write(TinyLlama.Config, TinyLlama.Tensors);
        using (Create()) Assert.True(IsMapped());
        Assert.False(IsMapped());
    }

    [Fact]
    public void Only_a_world_of_one_is_accepted()
    {
        Assert.Throws<NotSupportedException>(() => new ParallelContext(0, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ParallelContext(1, 1));
        Write(TinyLlama.Config, TinyLlama.Tensors);
        Assert.Throws<ArgumentOutOfRangeException>(() => DecoderPlan.Create(ModelFolder.Open(_folder.Path), Settings, DType.F32, default));
    }

    private void Write(string config, (string Name, int[] Shape)[] tensors) => _folder.Text("config.json", config).Tensors("model.safetensors", tensors);

    private DecoderPlan Create() => DecoderPlan.Create(ModelFolder.Open(_folder.Path), Settings, DType.F32, ParallelContext.Single);

    private bool IsMapped() => File.ReadAllText("/proc/self/maps").Contains(_folder.Path, StringComparison.Ordinal);
}
