using System.Security.Cryptography;
using System.Text.Json;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>The trained DeepSeek V3 of samples/models against PyTorch in double precision, with every latent backend.</summary>
public sealed class TinyMlaTests : IDisposable
{
    /// <summary>Logits reach 20; f32 rounding over five layers stays well below. The smallest lead of a greedy step is 1e-2.</summary>
    private const double Tolerance = 2e-4;

    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    public static TheoryData<string> Backends => [.. TestBackends.Names(AttentionKind.Mla)];

    public void Dispose() => _device.Dispose();

    [Fact]
    public void The_model_is_the_one_that_the_numbers_were_computed_from()
    {
        using JsonDocument golden = Read();
        byte[] weights = File.ReadAllBytes(Path.Combine(RepositoryPaths.TinyMla, "model.safetensors"));

        Assert.Equal(golden.RootElement.GetProperty("model_sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(weights)));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Greedy_ids_and_their_logits_equal_those_in_double_precision(string backend)
    {
        using JsonDocument golden = Read();
        using var session = new ModelSession(_device, RepositoryPaths.TinyMla, maxSeqLen: 256, DType.F32, blockSize: 16, TestBackends.Named(backend));
        foreach (JsonElement row in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            List<int> tokens = [.. row.GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt32())];
            int prefix = 0;
            if (tokens.Count > 100)
            {
                // The rest of a long prompt: an extend row over several chunks of context.
                prefix = 90;
                session.Forward(tokens.GetRange(0, prefix).ToArray(), 0);
            }

            foreach ((JsonElement id, JsonElement logit) in row.GetProperty("greedy_ids").EnumerateArray().Zip(row.GetProperty("logits").EnumerateArray()))
            {
                float[] logits = Assert.Single(session.Forward([.. tokens], prefix, tokens.Count - 1));
                prefix = tokens.Count;
                tokens.Add(logits.Index().MaxBy(entry => entry.Item).Index);
                Assert.Equal(id.GetInt32(), tokens[^1]);
                Assert.Equal(logit.GetDouble(), logits[tokens[^1]], Tolerance);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_forward_pass_allocates_nothing_on_the_heap(string backend)
    {
        using var session = new ModelSession(_device, RepositoryPaths.TinyMla, maxSeqLen: 256, DType.BF16, blockSize: 16, TestBackends.Named(backend));
        int[] tokens = [.. Enumerable.Range(5, 130)];
        session.Forward(tokens.AsSpan(0, 32), 0, 31);
        Assert.Equal(0, session.BytesAllocatedByRepeating());
        session.Forward(tokens.AsSpan(0, 129), 32, 128);
        Assert.Equal(0, session.BytesAllocatedByRepeating());
        session.Forward(tokens, 129, 129);
        Assert.Equal(0, session.BytesAllocatedByRepeating());
    }

    private static JsonDocument Read() =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Golden", "tiny-mla.json")));
}
