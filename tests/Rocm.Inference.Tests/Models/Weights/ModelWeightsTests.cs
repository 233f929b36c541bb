using Rocm.Inference.Devices;
using Rocm.Inference.Models.Weights;
using Xunit;

namespace Rocm.Inference.Tests.Models.Weights;

public sealed class ModelWeightsTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public unsafe void A_matrix_lies_in_mapped_memory()
    {
        _folder.Tensors("model.safetensors", ("w", [3, 2]));
        using ModelWeights weights = ModelWeights.Open(_folder.Path);

        WeightMatrix matrix = weights.Matrix("w", 3, 2);

        Assert.Equal(8, matrix.RowStrideBytes);
        Assert.Equal(4f, *(float*)(matrix.Address + (2 * matrix.RowStrideBytes)));
    }

    [Theory]
    [InlineData("F32", new byte[] { 0, 0, 0xC0, 0x3F })]
    [InlineData("F16", new byte[] { 0, 0x3E })]
    [InlineData("BF16", new byte[] { 0xC0, 0x3F })]
    public void A_vector_of_any_float_type_reads_as_f32(string dtype, byte[] value)
    {
        // One byte before it: the data of a tensor may start anywhere.
        string header = $"{{\"odd\":{CheckpointFolder.Entry("U8", "1", 0, 1)},\"v\":{CheckpointFolder.Entry(dtype, "2", 1, 1 + (2 * value.Length))}}}";
        _folder.Raw("model.safetensors", header, [9, .. value, .. value]);
        using ModelWeights weights = ModelWeights.Open(_folder.Path);

        Assert.Equal([1.5f, 1.5f], weights.Vector("v", 2));
    }

    [Fact]
    public void A_missing_tensor_is_named_with_the_shape_it_should_have()
    {
        _folder.Tensors("model.safetensors", ("w", [3, 2]));
        using ModelWeights weights = ModelWeights.Open(_folder.Path);

        var e = Assert.Throws<ModelLoadException>(() => weights.Matrix("v", 5, 7));

        Assert.Equal(("v", "[5, 7]"), (e.Tensor, e.Expected));
    }

    [Fact]
    public void A_wrong_shape_tells_expected_and_found()
    {
        _folder.Tensors("model.safetensors", ("w", [3, 2]));
        using ModelWeights weights = ModelWeights.Open(_folder.Path);

        var e = Assert.Throws<ModelLoadException>(() => weights.Matrix("w", 2, 3));

        Assert.Equal(("w", "[2, 3]", "F32 [3, 2]"), (e.Tensor, e.Expected, e.Found));
        Assert.Throws<ModelLoadException>(() => weights.Vector("w", 6));
    }

    [Theory]
    [InlineData("I64", 8)]
    [InlineData("F64", 8)]
    [InlineData("BOOL", 1)]
    [InlineData("F8_E4M3", 1)]
    public void A_wrong_element_type_is_refused_by_its_name_when_it_is_used(string dtype, int bytes)
    {
        _folder.Raw("model.safetensors", $"{{\"w\":{CheckpointFolder.Entry(dtype, "2,2", 0, 4 * bytes)}}}", new byte[4 * bytes]);
        using ModelWeights weights = ModelWeights.Open(_folder.Path);

        var e = Assert.Throws<ModelLoadException>(() => weights.Matrix("w", 2, 2));

        Assert.Equal(("w", dtype), (e.Tensor, e.Found));
    }

    [Fact]
    public void Tensors_that_nothing_asked_for_are_left_over()
    {
        _folder.Tensors("model.safetensors", ("b", [1]), ("a", [1]), ("used", [1]));
        using ModelWeights weights = ModelWeights.Open(_folder.Path);
        weights.Vector("used", 1);

        Assert.Equal(["a", "b"], weights.Unused);
    }

    [Fact]
    public void Shards_are_one_checkpoint()
    {
        _folder.Tensors("one.safetensors", ("a", [1])).Tensors("two.safetensors", ("b", [2]));
        Index("""{"metadata":{"total_size":12},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");
        using ModelWeights weights = ModelWeights.Open(_folder.Path);

        Assert.Equal(2, weights.Count);
        Assert.Equal([0f, 1f], weights.Vector("b", 2));
    }

    [Fact]
    public void A_missing_shard_is_named_and_the_others_are_closed()
    {
        _folder.Tensors("one.safetensors", ("a", [1]));
        Index("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");

        var e = Assert.Throws<ModelLoadException>(() => ModelWeights.Open(_folder.Path));

        Assert.Equal(_folder.File("two.safetensors"), e.File);
        Assert.False(AnythingIsMapped());
    }

    [Fact]
    public void A_truncated_shard_is_named()
    {
        _folder.Tensors("one.safetensors", ("a", [1])).Tensors("two.safetensors", ("b", [2]));
        Index("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");
        byte[] bytes = File.ReadAllBytes(_folder.File("two.safetensors"));
        File.WriteAllBytes(_folder.File("two.safetensors"), bytes[..^1]);

        var e = Assert.Throws<ModelLoadException>(() => ModelWeights.Open(_folder.Path));

        Assert.Equal((_folder.File("two.safetensors"), "b"), (e.File, e.Tensor));
    }

    [Fact]
    public void A_tensor_that_its_shard_lacks_is_named()
    {
        _folder.Tensors("one.safetensors", ("a", [1]));
        Index("""{"weight_map":{"a":"one.safetensors","b":"one.safetensors"}}""");

        var e = Assert.Throws<ModelLoadException>(() => ModelWeights.Open(_folder.Path));

        Assert.Equal((_folder.File("one.safetensors"), "b"), (e.File, e.Tensor));
    }

    [Fact]
    public void A_tensor_in_two_shards_is_refused()
    {
        _folder.Tensors("one.safetensors", ("a", [1]), ("b", [1])).Tensors("two.safetensors", ("b", [1]));
        Index("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");

        Assert.Equal("b", Assert.Throws<ModelLoadException>(() => ModelWeights.Open(_folder.Path)).Tensor);
    }

    [Theory]
    [InlineData("../one.safetensors")]
    [InlineData("/etc/one.safetensors")]
    [InlineData("sub/one.safetensors")]
    [InlineData("sub\\\\one.safetensors")]
    [InlineData("C:one.safetensors")]
    [InlineData("..")]
    [InlineData("one.bin")]
    [InlineData("")]
    public void A_shard_outside_the_folder_is_refused(string shard)
    {
        _folder.Tensors("one.safetensors", ("a", [1]));
        Index("{\"weight_map\":{\"a\":\"" + shard + "\"}}");

        Assert.Equal("a", Assert.Throws<ModelLoadException>(() => ModelWeights.Open(_folder.Path)).Tensor);
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"weight_map":[]}""")]
    [InlineData("""{"weight_map":{}}""")]
    [InlineData("""{"weight_map":{"a":1}}""")]
    [InlineData("""{"weight_map":{"a":"one.safetensors","a":"one.safetensors"}}""")]
    [InlineData("""not json""")]
    public void A_damaged_index_is_refused(string index)
    {
        _folder.Tensors("one.safetensors", ("a", [1]));
        Index(index);

        Assert.Equal(_folder.File("model.safetensors.index.json"), Assert.Throws<ModelLoadException>(() => ModelWeights.Open(_folder.Path)).File);
    }

    [Fact]
    public void A_folder_without_safetensors_tells_what_it_has()
    {
        _folder.Text("pytorch_model.bin", "x");

        var e = Assert.Throws<ModelLoadException>(() => ModelWeights.Open(_folder.Path));

        Assert.Contains("pytorch_model.bin", e.Message, StringComparison.Ordinal);
        Assert.Contains("model.safetensors", e.Expected, StringComparison.Ordinal);
    }

    private void Index(string json) => _folder.Text("model.safetensors.index.json", json);

    private bool AnythingIsMapped() => OperatingSystem.IsLinux() && File.ReadAllText("/proc/self/maps").Contains(_folder.Path, StringComparison.Ordinal);
}
