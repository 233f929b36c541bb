using System.Text;
using Rocm.Inference.Models.Weights;
using Xunit;

namespace Rocm.Inference.Tests.Models.Weights;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    private string Target => _folder.File("model.safetensors");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public unsafe void Tensors_are_found_at_their_offsets()
    {
        _folder.Tensors("model.safetensors", ("a", [2, 3]), ("b", [4]));

        using SafetensorsFile file = SafetensorsFile.Open(Target);

        TensorInfo b = file.Tensors["b"];
        Assert.Equal([4L], b.Shape);
        Assert.Equal(DType.F32, b.DType);
        Assert.Equal(6f, *(float*)file.AddressOf(b));
        Assert.Equal("F32 [2, 3]", file.Tensors["a"].Description);
    }

    [Fact]
    public void Metadata_and_trailing_spaces_and_empty_tensors_are_accepted()
    {
        string header = $"{{\"__metadata__\":{{\"format\":\"pt\"}},\"e\":{CheckpointFolder.Entry("BF16", "0,4", 4, 4)},\"a\":{CheckpointFolder.Entry("BF16", "2", 0, 4)}}}   ";
        _folder.Raw("model.safetensors", header, new byte[4]);

        using SafetensorsFile file = SafetensorsFile.Open(Target);

        Assert.Equal(["a", "e"], file.Tensors.Keys.Order());
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        var e = Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(Target));

        Assert.Equal(Target, e.File);
        Assert.Contains("missing", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_header_larger_than_the_file_is_refused()
    {
        File.WriteAllBytes(Target, [0xFF, 0, 0, 0, 0, 0, 0, 0, (byte)'{', (byte)'}']);

        var e = Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(Target));

        Assert.Equal("255 bytes", e.Found);
        Assert.Equal("a header of at most 2 bytes", e.Expected);
    }

    [Fact]
    public void A_header_length_with_the_top_bit_set_is_refused()
    {
        File.WriteAllBytes(Target, [0, 0, 0, 0, 0, 0, 0, 0x80, (byte)'{', (byte)'}']);

        Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(Target));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void A_file_without_room_for_a_header_length_is_truncated(int bytes)
    {
        File.WriteAllBytes(Target, new byte[bytes]);

        Assert.Contains("truncated", Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(Target)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_truncated_file_names_the_tensor_that_lies_outside()
    {
        _folder.Tensors("model.safetensors", ("a", [2]), ("b", [8]));
        byte[] bytes = File.ReadAllBytes(Target);
        File.WriteAllBytes(Target, bytes[..^4]);

        var e = Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(Target));

        Assert.Equal("b", e.Tensor);
        Assert.Equal(Target, e.File);
    }

    // Data is 16 bytes long.
    [Theory]
    [InlineData("overlap", """{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""")]
    [InlineData("hole", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""")]
    [InlineData("belong to no tensor", """{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""")]
    [InlineData("outside the file", """{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}}""")]
    [InlineData("outside the file", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}""")]
    [InlineData("outside the file", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0]}}""")]
    [InlineData("do not match", """{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}""")]
    [InlineData("do not match", """{"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("overflows", """{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}""")]
    [InlineData("out of range", """{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}""")]
    [InlineData("out of range", """{"a":{"dtype":"F32","shape":[4.5],"data_offsets":[0,16]}}""")]
    [InlineData("out of range", """{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,16]}}""")]
    [InlineData("too long", """{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,16]}}""")]
    [InlineData("Unknown element type", """{"a":{"dtype":"F33","shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("incomplete", """{"a":{"dtype":"F32","data_offsets":[0,16]}}""")]
    [InlineData("unknown field", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":1}}""")]
    [InlineData("twice", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("twice", """{"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("twice", """{"__metadata__":{},"__metadata__":{},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("wrong kind", """{"__metadata__":{"a":1},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("wrong kind", """{"a":[]}""")]
    [InlineData("wrong kind", """{"a":{"dtype":32,"shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("wrong kind", """{"a":{"dtype":"F32","shape":["4"],"data_offsets":[0,16]}}""")]
    [InlineData("wrong kind", "[]")]
    [InlineData("not valid JSON", "{")]
    [InlineData("not valid JSON", "")]
    [InlineData("not valid JSON", """{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,16]}}""")]
    [InlineData("wrong kind", """{"a":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}""")]
    [InlineData("not valid JSON", """{"\ud800":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""")]
    [InlineData("not valid JSON", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}} x""")]
    public void A_damaged_header_is_refused_and_says_why(string reason, string header)
    {
        _folder.Raw("model.safetensors", header, new byte[16]);

        var e = Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(Target));

        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        Assert.Equal(Target, e.File);
    }

    [Fact]
    public void Text_that_is_not_UTF8_is_refused()
    {
        byte[] header = [.. Encoding.ASCII.GetBytes("{\""), 0xFF, .. Encoding.ASCII.GetBytes("\":{}}")];
        File.WriteAllBytes(Target, CheckpointFolder.Bytes(header, []));

        Assert.Throws<ModelLoadException>(() => SafetensorsFile.Open(Target));
    }

    [Fact]
    public void Disposal_closes_the_mapping_and_twice_is_harmless()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The list of mappings is read from /proc.");
        _folder.Tensors("model.safetensors", ("a", [2]));
        SafetensorsFile file = SafetensorsFile.Open(Target);
        Assert.True(IsMapped());

        file.Dispose();
        file.Dispose();

        Assert.False(IsMapped());
        Assert.Throws<ObjectDisposedException>(() => file.AddressOf(file.Tensors["a"]));
    }

    // The kernel's own account of this process's mappings.
    private bool IsMapped() => File.ReadAllText("/proc/self/maps").Contains(Target, StringComparison.Ordinal);
}
