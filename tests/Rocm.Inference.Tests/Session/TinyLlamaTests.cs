using Rocm.Inference.Engine;
using Rocm.Inference.KvCache;
using Rocm.Inference.Sampling;
using Rocm.Inference.Scheduling;
using Rocm.Inference.TestKit;
using Rocm.Inference.Tests.Engine;
using Xunit;

namespace Rocm.Inference.Tests.Session;

/// <summary>The trained model of the samples through the whole library.</summary>
public sealed class TinyLlamaTests
{
    private static readonly string Folder = Path.Combine(RepositoryPaths.Root, "samples", "models", "tiny-llama");
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaxNewTokens = 20 };

    private static readonly string[] Prompts =
    [
        "Gets or sets the", "Initializes a new instance of the", "The exception that is thrown when", "Returns a value that indicates whether",
        "Converts the string representation of a number to its", "Occurs when", "Represents a collection of", "A task that represents the asynchronous",
    ];

    [Fact]
    public async Task Streamed_pieces_add_up_to_the_decoded_ids_and_the_facts_are_told()
    {
        await using InferenceSession session = await LoadAsync(new());
        string text = string.Empty;
        var ids = new List<int>();
        GenerationUpdate? last = null;
        await foreach (GenerationUpdate update in session.GenerateAsync("Gets or sets the", Greedy with { Logprobs = 3 }))
        {
            text += update.Text;
            ids.AddRange(update.TokenIds);
            Assert.Equal(update.TokenIds, update.Logprobs.Select(entry => entry.TokenId));
            Assert.All(update.Logprobs, entry => Assert.Equal(entry.TokenId, entry.Top[0].TokenId));
            last = update;
        }

        int[] prompt = session.Tokenizer.Encode("Gets or sets the");
        Assert.Equal("Gets or sets the" + text, session.Tokenizer.Decode([.. prompt, .. ids]));
        Assert.Equal(new GenerationUsage(prompt.Length, 0, ids.Count), last!.Usage);
        Assert.NotNull(last.FinishReason);
        Assert.True(last.Timings!.TimeToFirstToken > TimeSpan.Zero);
        Assert.Equal(("tiny-llama", "LlamaForCausalLM"), (session.Model.Name, session.Model.Architecture));
        Assert.Equal(DeviceKind.Cpu, session.Device.Kind);
        Assert.Equal("TRITON_ATTN", session.Attention.Name);
    }

    [Fact]
    public async Task Sixty_four_callers_of_which_half_cancel_on_the_real_model()
    {
        await using InferenceSession session = await LoadAsync(new() { MaxNumRequests = 16 });
        var expected = new List<string>();
        foreach (string prompt in Prompts) expected.Add((await session.CompleteAsync(prompt, Greedy)).Text);
        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () =>
        {
            if (i % 2 == 0)
            {
                Assert.Equal(expected[i / 2 % 8], (await session.CompleteAsync(Prompts[i / 2 % 8], Greedy)).Text);
                return;
            }

            using var cancel = new CancellationTokenSource();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (GenerationUpdate _ in session.GenerateAsync(Prompts[i % 8], Greedy with { MaxNewTokens = 450, IgnoreEos = true }, cancel.Token))
                    await cancel.CancelAsync();
            });
        })));
        await EngineTests.WaitUntil(() => session.Statistics is { RunningRequests: 0, WaitingRequests: 0, KvCacheBlocksUsed: 0 });
    }

    [Fact]
    public async Task Steady_decoding_of_a_real_model_allocates_nothing_on_the_engines_thread()
    {
        var loader = new MeasuringLoader();
        var options = new InferenceSessionOptions { ModelPath = Folder, Device = DevicePreference.Cpu, NumThreads = 2, KvCacheMemoryBytes = 64 << 20 };
        await using InferenceSession session = await new InferenceSessionBuilder(options, string.Empty, loader, _ => null).LoadAsync();
        GenerationOptions endless = Greedy with { MaxNewTokens = 150, IgnoreEos = true };
        await Task.WhenAll(session.CompleteAsync(Prompts[0], endless), session.CompleteAsync(Prompts[1], endless with { Temperature = 0.8f, TopP = 0.9f, TopK = 50 }));

        long[] perStep = [.. loader.Allocated.Zip(loader.Allocated.Skip(1), (before, after) => after - before)];
        long[] steady = perStep[^90..^10];
        Assert.True(steady.Count(bytes => bytes == 0) >= 76, $"bytes allocated per step: {string.Join(' ', steady)}");
    }

    private static Task<InferenceSession> LoadAsync(InferenceSessionOptions options)
    {
        options.Device = DevicePreference.Cpu;
        options.NumThreads = 2;
        options.KvCacheMemoryBytes ??= 64 << 20;
        return InferenceSession.LoadAsync(Folder, options);
    }

    /// <summary>Notes before every step what the engine's thread has allocated so far.</summary>
    private sealed class MeasuringLoader : IModelLoader
    {
        public List<long> Allocated { get; } = new(1000);

        public LoadedModel Load(SessionSettings settings, SessionServices services, LoadProgressReporter progress, CancellationToken cancellationToken)
        {
            LoadedModel model = new HuggingFaceModelLoader().Load(settings, services, progress, cancellationToken);
            return model with { Executor = new MeasuringExecutor(model.Executor, Allocated) };
        }

        private sealed class MeasuringExecutor(IModelExecutor inner, List<long> allocated) : IModelExecutor
        {
            public ModelFacts Facts => inner.Facts;

            public IReadOnlyList<KvCacheGroup> Groups => inner.Groups;

            public int NumBlocks => inner.NumBlocks;

            public void Execute(ScheduledStep step, SamplingBatch sampling)
            {
                allocated.Add(GC.GetAllocatedBytesForCurrentThread());
                inner.Execute(step, sampling);
            }

            public void Dispose() => inner.Dispose();
        }
    }
}
