using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>Layers whose device has the experts as one op: the logits that they have without, the scratch memory that was planned, and the ops for steps that the op leaves.</summary>
public sealed class FusedExpertsTests : IDisposable
{
    private const int NumTokens = 37;
    private readonly string _folder = Directory.CreateTempSubdirectory("fused-").FullName;
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    public void Dispose()
    {
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    // With a shared expert, a gated one, and none. The op takes more or less scratch memory than all that a layer takes without it.
    [Theory]
    [InlineData("deepseek-v3", 0)]
    [InlineData("deepseek-v3", 1 << 20)]
    [InlineData("qwen2-moe", 0)]
    [InlineData("mixtral", 1 << 20)]
    [InlineData("qwen3-moe", 1000)]
    public void Logits_are_those_of_the_ops_in_the_memory_that_was_planned(string name, int scratchBytes)
    {
        GoldenCheckpoint.Load(name).WriteTo(_folder, GoldenWeights.BFloat16);
        int[] tokens = [.. Enumerable.Range(1, NumTokens)], positions = [.. Enumerable.Range(0, NumTokens)];
        using var apart = new ModelSession(_device, _folder, NumTokens, DType.F32);
        float[][] expected = apart.Forward(tokens, 0, positions);

        var fusing = new FusingDevice(_device, minTokens: 1, scratchBytes);
        using var fused = new ModelSession(fusing, _folder, NumTokens, DType.F32);
        float[][] found = fused.Forward(tokens, 0, positions);
        Assert.True(fusing.NumRuns > 0);
        Assert.InRange(fused.PeakScratchBytes, scratchBytes, fused.ScratchBytes);

        // Only the sum with y is rounded otherwise: first all experts, then they to what is there.
        for (int i = 0; i < NumTokens; i++) Tolerance.F32.Check([.. expected[i].Select(logit => (double)logit)], found[i], $"{name}, token {i}");
        if (scratchBytes == 1 << 20) Assert.InRange(fused.PeakScratchBytes, fused.ScratchBytes - 63, fused.ScratchBytes);
        Assert.Equal(0, fused.BytesAllocatedByRepeating());
    }

    [Fact]
    public void Steps_that_the_op_leaves_are_computed_and_planned_apart()
    {
        GoldenCheckpoint.Load("qwen3-moe").WriteTo(_folder, GoldenWeights.BFloat16);
        int[] tokens = [.. Enumerable.Range(1, NumTokens)];
        using var apart = new ModelSession(_device, _folder, NumTokens, DType.F32);
        apart.Forward(tokens.AsSpan(..^1), 0, NumTokens - 2);
        float[] expected = apart.Forward(tokens, NumTokens - 1, NumTokens - 1)[0];

        var fusing = new FusingDevice(_device, minTokens: NumTokens + 1, 0);
        using var left = new ModelSession(fusing, _folder, NumTokens, DType.F32);
        Assert.Equal(apart.ScratchBytes, left.ScratchBytes);
        left.Forward(tokens.AsSpan(..^1), 0, NumTokens - 2);
        Assert.Equal(expected, left.Forward(tokens, NumTokens - 1, NumTokens - 1)[0]);
        Assert.Equal(0, fusing.NumRuns);

        var prompts = new FusingDevice(_device, minTokens: 2, 0);
        using var both = new ModelSession(prompts, _folder, NumTokens, DType.F32);
        both.Forward(tokens.AsSpan(..^1), 0, NumTokens - 2);
        int runs = prompts.NumRuns;
        both.Forward(tokens, NumTokens - 1, NumTokens - 1);
        Assert.True(runs > 0);
        Assert.Equal(runs, prompts.NumRuns);
    }
}
