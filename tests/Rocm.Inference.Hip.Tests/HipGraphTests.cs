using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>Decode steps that are recorded and replayed against steps that are run call by call. Alone, because calls are counted for the whole process.</summary>
[Collection(EmulatorOptions.Collection)]
public sealed class HipGraphTests
{
    private static readonly int[] Prompt = [4094, 799, 444, 805, 785, 2218, 766, 401];

    [Theory]
    [InlineData(EmulatedGpu.Gfx942, HipSessions.TinyLlama, AttentionBackendNames.TritonAttn)]
    [InlineData(EmulatedGpu.Gfx1100, HipSessions.TinyLlama, AttentionBackendNames.RocmAiterFa)]
    [InlineData(EmulatedGpu.Gfx942, HipSessions.TinyMla, AttentionBackendNames.RocmAiterMla)]
    [InlineData(EmulatedGpu.Gfx1100, HipSessions.TinyMla, AttentionBackendNames.TritonMla)]
    public async Task Replayed_steps_give_the_bits_of_steps_run_call_by_call_for_shorter_and_longer_rows(string target, string model, string backend)
    {
        using HipGpu gpu = HipSessions.Open(target);
        InferenceSessionOptions options = HipSessions.Options(model, backend);
        await using InferenceSession recorded = await HipSessions.LoadAsync(gpu, options);
        options.EnableDeviceGraphs = false;
        await using InferenceSession eager = await HipSessions.LoadAsync(gpu, options);
        EmulatedGpu.Instance.Set("fail", "");

        // One row, whose recording is made at 9 to 12 tokens; replayed shorter, then longer than the blocks that it was made with.
        foreach ((int length, int tokens) in ((int, int)[])[(8, 4), (3, 4), (8, 12)])
            AssertSame(await CompleteAsync(eager, Prompt[..length], tokens), await CompleteAsync(recorded, Prompt[..length], tokens));
        Assert.True(EmulatedGpu.Instance.Calls("hipGraphLaunch") > 10, "nothing was replayed: the test does not test it");
        Assert.Equal(1, EmulatedGpu.Instance.Calls("hipGraphInstantiate"));

        // Two and three rows of different lengths, padded to two and four.
        (int[], int)[] crowd = [(Prompt, 9), (Prompt[..5], 12), (Prompt[..2], 7)];
        GenerationResult[] expected = await HipSessions.CompleteAllAsync(eager, crowd, withRivals: true);
        foreach ((GenerationResult e, GenerationResult a) in expected.Zip(await HipSessions.CompleteAllAsync(recorded, crowd, withRivals: true))) AssertSame(e, a);
        foreach ((GenerationResult e, GenerationResult a) in expected.Zip(await HipSessions.CompleteAllAsync(recorded, crowd, withRivals: true))) AssertSame(e, a);
        Assert.True(EmulatedGpu.Instance.Calls("hipGraphInstantiate") > 1, "no step of several rows was recorded");
    }

    [Theory]
    [InlineData(EmulatedGpu.Gfx942, HipSessions.TinyLlama, AttentionBackendNames.TritonAttn)]
    [InlineData(EmulatedGpu.Gfx1100, HipSessions.TinyMla, AttentionBackendNames.RocmAiterMla)]
    public async Task A_replayed_step_is_one_launch_and_one_wait(string target, string model, string backend)
    {
        using HipGpu gpu = HipSessions.Open(target);
        InferenceSessionOptions options = HipSessions.Options(model, backend);
        options.EnablePrefixCaching = false;
        await using InferenceSession session = await HipSessions.LoadAsync(gpu, options);
        await session.CompleteAsync(Prompt, HipSessions.Greedy(4));
        (long Calls, long Kernels, long Graphs) few = await CountAsync(session, numTokens: 2), many = await CountAsync(session, numTokens: 12);
        Assert.Equal((1, 11), (few.Graphs, many.Graphs));
        Assert.Equal(few.Kernels, many.Kernels);
        Assert.Equal(2 * 10, many.Calls - few.Calls);
    }

    private static async Task<(long Calls, long Kernels, long Graphs)> CountAsync(InferenceSession session, int numTokens)
    {
        EmulatedGpu emulator = EmulatedGpu.Instance;
        emulator.Set("fail", "");
        ulong before = emulator.Counters()[5];
        await session.CompleteAsync(Prompt, HipSessions.Greedy(numTokens));
        return ((long)(emulator.Counters()[5] - before), emulator.Calls("hipModuleLaunchKernel"), emulator.Calls("hipGraphLaunch"));
    }

    private static Task<GenerationResult> CompleteAsync(InferenceSession session, int[] prompt, int numTokens) =>
        session.CompleteAsync(prompt, HipSessions.Greedy(numTokens, withRivals: true));

    private static void AssertSame(GenerationResult expected, GenerationResult actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.Logprobs.Select(entry => entry.Logprob), actual.Logprobs.Select(entry => entry.Logprob));
    }
}
