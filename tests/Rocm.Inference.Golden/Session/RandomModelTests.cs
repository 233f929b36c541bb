using System.Buffers.Binary;
using Benchmark;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>Models of random weights from configs alone, as the Benchmark sample makes them.</summary>
public sealed class RandomModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("random-").FullName;

    public static TheoryData<string> Supported => GoldenPlanTests.Supported;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Supported))]
    public async Task Every_family_loads_and_generates_with_ordinary_numbers(string name)
    {
        Write(Config(name), DType.BF16, 1);
        await using InferenceSession session = await InferenceSession.LoadAsync(
            _folder, new InferenceSessionOptions { Device = DevicePreference.Cpu, NumThreads = 1, MaxModelLen = 32 });
        GenerationResult result = await session.CompleteAsync("abc", Answer.Greedy(3));

        Assert.Equal(3, result.TokenIds.Count);
        Assert.All(result.Logprobs, entry => Assert.InRange(entry.Logprob, -20, 0));
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    [InlineData(DType.F32)]
    public void Weights_have_the_type_asked_for_and_come_from_the_seed_alone(DType type)
    {
        byte[] first = Write(Config("llama"), type, 1), again = Write(Config("llama"), type, 1), other = Write(Config("llama"), type, 2);

        Assert.True(first.AsSpan().SequenceEqual(again));
        Assert.False(first.AsSpan().SequenceEqual(other));
        Assert.Equal(ModelCheckpoint.RequiredTensors(_folder).Sum(t => t.Shape.Aggregate(1L, (count, size) => count * size)) * type.ByteSize(), DataOf(first).Length);
    }

    [Fact]
    public void Numbers_have_the_mean_and_the_deviation_asked_for()
    {
        var bytes = new byte[400_000];
        new RandomWeights(DType.F32, 7).Fill(bytes, 1, 0.25f);
        double[] values = [.. Enumerable.Range(0, bytes.Length / 4).Select(i => (double)BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(4 * i)))];

        // Of 100 000 draws: the standard error of the mean is 0.0008, of the deviation about 0.0005.
        Assert.Equal(1, values.Average(), 0.004);
        Assert.Equal(0.25, Math.Sqrt(values.Average(v => (v - 1) * (v - 1))), 0.003);
    }

    private static string Config(string golden) => Path.Combine(GoldenCheckpoint.ModelsFolder, golden, "config.json");

    private byte[] Write(string config, DType type, ulong seed)
    {
        long bytes = new RandomModel(config, type, seed).WriteTo(_folder, _ => { }, TestContext.Current.CancellationToken);
        byte[] file = File.ReadAllBytes(Path.Combine(_folder, "model.safetensors"));
        Assert.Equal(bytes, DataOf(file).Length);
        return file;
    }

    private static ReadOnlySpan<byte> DataOf(byte[] file) => file.AsSpan(8 + (int)BinaryPrimitives.ReadInt64LittleEndian(file));
}
