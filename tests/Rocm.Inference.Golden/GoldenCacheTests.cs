using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>
/// Caches of few bits: all backends of a kind read the same rounded keys and values, so that they agree with each other far better than with the
/// exact numbers.
/// </summary>
public sealed class GoldenCacheTests : IDisposable
{
    // Numbers of a cache of which one may be tipped.
    private const int MaxTips = 500;

    private readonly string _folder = Directory.CreateTempSubdirectory("golden-").FullName;
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    /// <summary>
    /// How far two backends may be apart. Where their caches of 8-bit numbers hold the same, they differ by rounding of the attention alone: 3e-6 was measured.
    /// But rounding noise below a layer can tip a key or value that lies between two numbers of the cache to the other one, a sixteenth away: gemma3 with e4m3fn has 47
    /// tips of 82 thousand numbers in ROCM_AITER_FA's extend, which move a logit by 5.2e-3. Of 16-bit caches, which are not compared, tips move a logit by at most 8e-4. A backend that reads
    /// another number than the others throughout is as far off as the exact logits are, a hundred times as much.
    /// </summary>
    private static double Apart(DType cache, bool tipped) => !cache.IsFloat8() ? 2e-3 : tipped ? 1e-2 : 1e-5;

    private static readonly string[] Models = ["deepseek-v3", "gemma3", "gpt-oss", "qwen3-moe"];

    /// <summary>How far the logits of a type of cache may be from the exact ones: twice what is measured of the worst model.</summary>
    private static readonly (DType Cache, double Off)[] Types =
        [(DType.BF16, 0.05), (DType.F16, 0.006), (DType.F8E4M3Fn, 1), (DType.F8E4M3Fnuz, 1), (DType.F8E5M2, 2)];

    public static TheoryData<string, DType, double> Caches
    {
        get
        {
            var data = new TheoryData<string, DType, double>();
            foreach (string name in Models)
            {
                foreach ((DType cache, double off) in Types) data.Add(name, cache, off);
            }

            return data;
        }
    }

    public void Dispose()
    {
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Caches))]
    public void Backends_agree_on_what_the_cache_holds(string name, DType cache, double off)
    {
        GoldenCase golden = Write(name);
        List<float[]> logits = Agreed(name, golden, cache);
        Assert.InRange(golden.LastLogits.Zip(logits[0], (e, a) => Math.Abs(e - a)).Max(), off / 100, off);
    }

    [Theory]
    [InlineData("deepseek-v3", 1)]
    [InlineData("gpt-oss", 1)]
    [InlineData("gpt-oss", 2)]
    [InlineData("qwen3-moe", 2)]
    public void Scales_of_the_checkpoint_are_honoured_by_every_backend(string name, int numScales)
    {
        GoldenCase golden = Write(name);
        List<float[]> plain = TeacherForced(golden, DType.F8E4M3Fn, TestBackends.Names(GoldenBackends.KindOf(name))[0]);
        string path = Path.Combine(_folder, "model.safetensors");
        List<RawTensor> tensors = [.. RawSafetensors.Read(path)];
        float[] keys = [0.037f, 0.021f], values = [0.013f, 0.029f];
        for (int layer = 0; tensors.Exists(tensor => tensor.Name.StartsWith($"model.layers.{layer}.", StringComparison.Ordinal)); layer++)
        {
            tensors.Add(RawTensor.F32($"model.layers.{layer}.self_attn.k_scale", [numScales], keys[..numScales]));
            tensors.Add(RawTensor.F32($"model.layers.{layer}.self_attn.v_scale", [numScales], values[..numScales]));
        }

        File.Delete(path);
        RawSafetensors.Write(path, tensors);
        List<float[]> scaled = Agreed(name, golden, DType.F8E4M3Fn);

        // Other numbers of the cache, but the same model.
        Assert.InRange(Difference(plain[0], scaled[0]), 1e-3, 2);
        Assert.InRange(golden.LastLogits.Zip(scaled[0], (e, a) => Math.Abs(e - a)).Max(), 1e-2, 1);
    }

    private GoldenCase Write(string name)
    {
        GoldenCheckpoint checkpoint = GoldenCheckpoint.Load(name);
        checkpoint.WriteTo(_folder, GoldenWeights.BFloat16);
        return checkpoint.CasesWith(GoldenWeights.BFloat16).Single();
    }

    /// <summary>The logits of the first backend, after all others have agreed.</summary>
    private List<float[]> Agreed(string name, GoldenCase golden, DType cache)
    {
        List<float[]>? first = null;
        List<byte[]> firstCodes = [];
        foreach (string backend in TestBackends.Names(GoldenBackends.KindOf(name)))
        {
            List<byte[]> codes = [];
            List<float[]> logits = TeacherForced(golden, cache, backend, codes);
            first ??= logits;
            if (firstCodes.Count == 0) firstCodes = codes;
            double apart = first.Zip(logits, Difference).Max();
            int tips = firstCodes.Zip(codes, (a, b) => Tips(backend, a, b)).Sum();
            TestContext.Current.TestOutputHelper?.WriteLine($"{name}, {cache}, {backend}: {apart:g3} apart, {tips} numbers of the cache tipped");
            Assert.True(tips <= codes.Sum(held => held.Length) / MaxTips, $"{backend}: {tips} numbers of the cache are not the first backend's");
            Assert.True(apart <= Apart(cache, tips > 0), $"{backend}: {apart:g3} from the first backend with {tips} numbers of the cache tipped");
        }

        return first!;
    }

    // Prompt whole, then in two chunks of which the second is long, then the golden ids one by one.
    private List<float[]> TeacherForced(GoldenCase golden, DType cache, string backend, List<byte[]>? codes = null)
    {
        using var session = new ModelSession(_device, _folder, golden.SessionLength, cache, blockSize: 16, TestBackends.Named(backend));
        int last = golden.Prompt.Length - 1;
        var logits = new List<float[]> { Assert.Single(session.Forward(golden.Prompt, 0, last)) };
        if (cache.IsFloat8()) codes?.Add(session.CachedCodes(golden.Prompt.Length));
        session.Forward(golden.Prompt.AsSpan(0, 10), 0);
        logits.Add(Assert.Single(session.Forward(golden.Prompt, 10, last)));
        int[] tokens = [.. golden.Prompt, .. golden.Greedy];
        for (int length = golden.Prompt.Length + 1; length <= tokens.Length; length++)
            logits.Add(Assert.Single(session.Forward(tokens.AsSpan(0, length), length - 1, length - 1)));
        if (cache.IsFloat8()) codes?.Add(session.CachedCodes(tokens.Length));
        return logits;
    }

    /// <summary>How many of two caches' 8-bit numbers differ; each from its neighbour.</summary>
    private static int Tips(string backend, byte[] expected, byte[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        int tips = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i] == actual[i]) continue;
            tips++;
            Assert.True(Math.Abs(Order(expected[i]) - Order(actual[i])) <= 1, $"{backend}: number {i} of the cache is {actual[i]:x2}, of the first backend {expected[i]:x2}, no neighbour");
        }

        return tips;

        static int Order(byte code) => (code & 0x80) != 0 ? -(code & 0x7F) : code;
    }

    private static double Difference(float[] a, float[] b) => a.Zip(b, (x, y) => (double)Math.Abs(x - y)).Max();
}
