using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>
/// The trained models of samples/models through the public session on both emulated GPUs, with every backend: prompts at once, in chunks, and decode steps
/// that are recorded and replayed.
/// </summary>
public sealed class HipSessionTests
{
    /// <summary>A prompt that comes in three chunks, one of them long enough to extend, and a short one whose rows decode beside it.</summary>
    private static readonly (int[] Prompt, int NumTokens)[] Requests = [(Prompts.Long, 3), (Prompts.Short, 5)];

    private static readonly Dictionary<string, Task<GenerationResult[]>> Expected = new()
    {
        [HipSessions.TinyLlama] = HipSessions.OnCpuAsync(HipSessions.TinyLlama, Requests),
        [HipSessions.TinyMla] = HipSessions.OnCpuAsync(HipSessions.TinyMla, Requests),
    };

    public static TheoryData<string, string, string> Cells
    {
        get
        {
            var data = new TheoryData<string, string, string>();
            foreach (string target in (string[])[EmulatedGpu.Gfx942, EmulatedGpu.Gfx1100])
            {
                foreach (string backend in TestBackends.Names(AttentionKind.Mha)) data.Add(target, HipSessions.TinyLlama, backend);
                foreach (string backend in TestBackends.Names(AttentionKind.Mla)) data.Add(target, HipSessions.TinyMla, backend);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cells))]
    public async Task Greedy_ids_are_those_of_the_cpu_and_logprobs_differ_by_the_rounding_of_bf16(string target, string model, string backend)
    {
        using HipGpu gpu = HipSessions.Open(target);
        await using InferenceSession session = await HipSessions.LoadAsync(gpu, HipSessions.Options(model, backend));
        Assert.Equal((target, DeviceKind.Hip, "given by the host"), (session.Device.Architecture, session.Device.Kind, session.Device.Reason));
        Assert.Equal(backend, session.Attention.Name);
        Assert.All(session.Attention.Phases, phase => Assert.Equal("hip", phase.Provider));
        GenerationResult[] expected = await Expected[model], actual = await HipSessions.CompleteAllAsync(session, Requests, withRivals: true);
        double worst = 0;
        foreach ((GenerationResult e, GenerationResult a) in expected.Zip(actual))
        {
            Assert.Equal(e.TokenIds, a.TokenIds);
            worst = Math.Max(worst, e.Logprobs.Zip(a.Logprobs, (l, r) => (double)Math.Abs(l.Logprob - r.Logprob)).Max());
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"largest difference of a log-probability: {worst:g3}");
        Assert.InRange(worst, 0, HipSessions.LogitTolerance / 2);
    }

    private static class Prompts
    {
        // "List<T>.Add(T item)" and a text on FileStream.Read, as the models' tokenizer has them.
        public static readonly int[] Short = [4094, 799, 444, 805, 785, 2218, 766, 401];

        public static readonly int[] Long = GoldenPrompt();

        private static int[] GoldenPrompt() =>
            [.. System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Golden", "tiny-llama.json")))
                .RootElement.GetProperty("cases").EnumerateArray().Last().GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt32())];
    }
}
