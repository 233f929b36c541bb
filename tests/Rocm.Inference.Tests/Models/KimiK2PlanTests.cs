using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using Rocm.Inference.Models;
using Xunit;

namespace Rocm.Inference.Tests.Models;

/// <summary>Memory of a model of published widths, planned from a file of holes: its first layers and few of its experts, in blocks of fp8.</summary>
public sealed class KimiK2PlanTests : IDisposable
{
    private const int Layers = 2, Experts = 8, Vocabulary = 1024;
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Weights_take_a_byte_each_and_the_latent_projection_two()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere a file of holes takes its full size on the disk.");
        JsonObject config = JsonNode.Parse(KimiK2.Config)!.AsObject();
        (config["num_hidden_layers"], config["n_routed_experts"], config["vocab_size"]) = (Layers, Experts, Vocabulary);
        _folder.Text("config.json", config.ToJsonString());
        WriteHoles();

        using DecoderPlan plan = DecoderPlan.Create(
            ModelFolder.Open(_folder.Path), new ModelRuntimeSettings(4096, DType.BF16), DType.F32, ParallelContext.Single);

        long attention = (1536L * 7168) + (64 * 192 * 1536) + (576 * 7168) + (7168 * 64 * 128), latentUp = 64L * 256 * 512;
        long expert = 3L * 7168 * 2048, dense = 3L * 7168 * 18432;
        long bytes = Fp8(1536, 7168) + Fp8(64 * 192, 1536) + Fp8(576, 7168) + Fp8(7168, 64 * 128);
        Assert.Equal(attention, bytes - Scales(1536, 7168) - Scales(64 * 192, 1536) - Scales(576, 7168) - Scales(7168, 64 * 128));
        long mlp = (2 * Fp8(18432, 7168)) + Fp8(7168, 18432);
        long experts = (Experts + 1) * ((2 * Fp8(2048, 7168)) + Fp8(7168, 2048));
        long plain = 2L * ((2 * Vocabulary * 7168) + (Experts * 7168));
        Assert.Equal((Layers * (bytes + (2 * Fp8(64 * 256, 512)))) + mlp + experts + plain, plan.MatrixBytes);
        long vectors = (Layers * (7168L + 7168 + 1536 + 512)) + 7168 + Experts;
        Assert.Equal((Layers * (attention + latentUp)) + dense + ((Experts + 1) * expert) + (plain / 2) + vectors, plan.ParameterCount);
        Assert.Equal(DType.F8E4M3Fn, plan.WeightDType);
        Assert.Equal((Layers, 576 * 2), (plan.Groups.LayersPerBlock, (int)LayerGroupPlan.BytesPerToken(plan.Groups.Groups[0].Spec)));
    }

    private static long Fp8(long rows, long columns) => (rows * columns) + Scales(rows, columns);

    private static long Scales(long rows, long columns) => (rows + 127) / 128 * ((columns + 127) / 128) * sizeof(float);

    private void WriteHoles()
    {
        var header = new JsonObject();
        long end = 0;
        foreach (CheckpointTensor tensor in ModelCheckpoint.RequiredTensors(_folder.Path))
        {
            bool isSmall = tensor.Name.Contains("_proj", StringComparison.Ordinal);
            Add(tensor.Name, isSmall ? "F8_E4M3" : "BF16", isSmall ? 1 : 2, [.. tensor.Shape]);
            if (isSmall) Add(tensor.Name + "_scale_inv", "F32", 4, [.. tensor.Shape.Select(dim => (dim + 127) / 128)]);
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        var prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, json.Length);
        using FileStream file = File.Create(_folder.File("model.safetensors"));
        file.Write(prefix);
        file.Write(json);
        file.SetLength(prefix.Length + json.Length + end);

        void Add(string name, string dtype, int size, int[] shape)
        {
            long start = end;
            end += shape.Aggregate((long)size, (product, dim) => product * dim);
            header[name] = new JsonObject
            {
                ["dtype"] = dtype, ["shape"] = new JsonArray([.. shape.Select(dim => (JsonNode)dim)]), ["data_offsets"] = new JsonArray(start, end),
            };
        }
    }
}
