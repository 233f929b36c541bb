using CustomAttentionBackend;
using Microsoft.Extensions.DependencyInjection;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>Backends of a host, written against the public surface only: the sample's, and one that leaves the work to the library's primitives.</summary>
public sealed class CustomBackendTests
{
    [Fact]
    public async Task The_sample_tells_what_it_recorded_and_why_its_backend_was_chosen()
    {
        using SampleProcess process = await SampleProcess.RunAsync("CustomAttentionBackend");

        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        Assert.Contains("attention  ATTENTION_STATISTICS: first custom backend without a reason against it", process.Output, StringComparison.Ordinal);
        Assert.Contains("not TRITON_ATTN: ", process.Output, StringComparison.Ordinal);
        Assert.Contains("Gets or sets the value of the current node.", process.Output, StringComparison.Ordinal);
        for (int layer = 0; layer < 5; layer++) Assert.Matches($@"(?m)^ +{layer} +[0-9]\.[0-9]{{2}} +[0-9]+\.[0-9] +[0-9]+\s?% +[0-9]+\s?%", process.Output);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("qwen3")]
    [InlineData("mistral")]
    [InlineData("gemma3")]
    public async Task Own_attention_of_the_sample_gives_the_ids_of_the_independent_program(string name)
    {
        GoldenCheckpoint checkpoint = GoldenCheckpoint.Load(name);
        using SessionFolder folder = SessionFolder.Golden(name);
        foreach (GoldenCase golden in checkpoint.CasesWith(GoldenWeights.Float32))
        {
            await using ServiceProvider provider = Services(folder.Path, golden.SessionLength);
            InferenceSession session = provider.GetRequiredService<InferenceSession>();
            GenerationResult result = await session.CompleteAsync(golden.Prompt, Answer.Greedy(golden.Greedy.Length));

            Assert.Equal("ATTENTION_STATISTICS", session.Attention.Name);
            Assert.Equal(golden.Greedy, result.TokenIds);
            IReadOnlyList<LayerStatistics> layers = provider.GetRequiredService<AttentionStatistics>().Layers;
            Assert.Equal(Enumerable.Range(0, session.Model.NumLayers), layers.Select(layer => layer.Layer));
            long tokens = golden.Prompt.Length + golden.Greedy.Length - 1;
            Assert.All(layers, layer => Assert.Equal(tokens * session.Model.NumQoHeads, layer.Count));
            Assert.All(layers, layer => Assert.InRange(layer.EntropyBits, 0.01, Math.Log2(tokens)));
        }
    }

    [Fact]
    public async Task Greedy_text_of_the_sample_equals_the_built_in_backends_alone_and_all_at_once()
    {
        string[] prompts = ["Gets or sets the", "Returns the number of", "Throws an exception if the", "A"];
        var options = new GenerationOptions { Temperature = 0, MaxNewTokens = 40 };
        await using InferenceSession builtIn = await InferenceSession.LoadAsync(
            RepositoryPaths.TinyLlama, new InferenceSessionOptions { Device = DevicePreference.Cpu, AttentionBackend = "TRITON_ATTN", KvCacheDType = KvCacheDType.F32 });
        await using ServiceProvider provider = Services(RepositoryPaths.TinyLlama, 256);
        InferenceSession own = provider.GetRequiredService<InferenceSession>();

        GenerationResult[] expected = await Task.WhenAll(prompts.Select(prompt => builtIn.CompleteAsync(prompt, options)));
        GenerationResult[] together = await Task.WhenAll(prompts.Select(prompt => own.CompleteAsync(prompt, options)));
        GenerationResult alone = await own.CompleteAsync(prompts[1], options);

        Assert.Equal(expected.Select(result => result.Text), together.Select(result => result.Text));
        Assert.Equal(expected[1].Text, alone.Text);
    }

    [Fact]
    public async Task A_model_with_a_feature_that_the_sample_does_not_honour_gets_another_backend_and_a_reason()
    {
        using SessionFolder folder = SessionFolder.Golden("gemma2");
        await using ServiceProvider provider = Services(folder.Path, 64);
        InferenceSession session = provider.GetRequiredService<InferenceSession>();
        await session.WhenReadyAsync();

        Assert.NotEqual("ATTENTION_STATISTICS", session.Attention.Name);
        RefusedAttentionBackend refused = session.Attention.Refused.Single(backend => backend.Name == "ATTENTION_STATISTICS");
        Assert.False(refused.IsSupported);
        Assert.Equal(["features not supported: LogitsSoftCap"], refused.Reasons);
    }

    [Theory]
    [InlineData("gemma2")]
    [InlineData("mistral")]
    public async Task A_backend_made_of_the_librarys_primitives_has_the_bits_of_the_built_in_one(string name)
    {
        using SessionFolder folder = SessionFolder.Golden(name);
        var options = new InferenceSessionOptions { ModelPath = folder.Path, Device = DevicePreference.Cpu, NumThreads = 2, MaxModelLen = 96, MaxNumBatchedTokens = 16 };
        int[][] prompts = Answer.RandomPrompts(new TestRandom(5), 4, 256, 60);
        await using InferenceSession own = await new InferenceSessionBuilder(options).AddAttentionBackend(new PrimitivesBackend()).LoadAsync();
        options.AttentionBackend = "TRITON_ATTN";
        await using InferenceSession builtIn = await new InferenceSessionBuilder(options).LoadAsync();

        Answer[] actual = await Answer.OfAllAsync(own, prompts, 8);
        Answer[] expected = await Answer.OfAllAsync(builtIn, prompts, 8);

        Assert.Equal("PRIMITIVES", own.Attention.Name);
        foreach ((Answer a, Answer b) in actual.Zip(expected)) Assert.Equal(b.Logprobs, a.Logprobs);
    }

    private static ServiceProvider Services(string model, int length)
    {
        var services = new ServiceCollection();
        services.AddSingleton<AttentionStatistics>();
        services.AddRocmInference(options =>
        {
            options.ModelPath = model;
            options.Device = DevicePreference.Cpu;
            options.NumThreads = 1;
            options.MaxModelLen = length;
            options.KvCacheDType = KvCacheDType.F32;
        }).AddAttentionBackend<StatisticsBackend>();
        return services.BuildServiceProvider();
    }

    private sealed class PrimitivesBackend : IAttentionBackend
    {
        public string Name => "PRIMITIVES";

        public AttentionKind Kind => AttentionKind.Mha;

        public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionSupport.Supported;

        public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.Nhd);

        public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) =>
            Math.Max(
                AttentionPrimitives.AttendScratchBytes(spec, device, limits),
                AttentionPrimitives.GatherScratchBytes + 128 + (sizeof(float) * spec.NumKvHeads * (spec.HeadDim + spec.VHeadDim)));

        public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => new Executor(spec, resources);

        private sealed class Executor(AttentionSpec spec, AttentionResources resources) : IAttentionExecutor
        {
            private ForwardBatch? _batch;
            private int _group;

            public BatchOrder Order => BatchOrder.Any;

            public GraphSupport Graphs => GraphSupport.Always;

            public void Plan(DeviceContext context, ForwardBatch batch, int group) => (_batch, _group) = (batch, group);

            public void Run(DeviceContext context, int layer, in AttentionInputs inputs, TensorView output)
            {
                AttentionPrimitives.StoreKeyValue(context, resources.Layers[layer], _batch!, _group, inputs);
                CheckGather(context, layer);
                AttentionPrimitives.Attend(context, spec, resources.Layers[layer], _batch!, _group, inputs.Query, output);
            }

            public void Dispose()
            {
            }

            private void CheckGather(DeviceContext context, int layer)
            {
                AttentionLayerResources resource = resources.Layers[layer];
                long mark = context.Mark();
                TensorView key = context.Scratch(DType.F32, 1, spec.NumKvHeads, spec.HeadDim);
                TensorView value = context.Scratch(DType.F32, 1, spec.NumKvHeads, spec.VHeadDim);
                int last = _batch!.SeqLensHost[0] - 1;
                AttentionPrimitives.GatherKeyValue(context, resource, _batch, _group, 0, last, key, value);
                Assert.Throws<ArgumentOutOfRangeException>(() => AttentionPrimitives.GatherKeyValue(context, resource, _batch, _group, 0, last + 1, key, value));
                Assert.Throws<ArgumentOutOfRangeException>(() => AttentionPrimitives.GatherKeyValue(context, resource, _batch, _group, 0, -1, key, value));
                Assert.Throws<ArgumentOutOfRangeException>(() => AttentionPrimitives.GatherKeyValue(context, resource, _batch, _group, _batch.NumRows, 0, key, value));

                // The last token of the first row is in the cache as bf16.
                long slot = _batch.Groups[_group].SlotMapping.AsSpan<long>()[_batch.CuSeqlensQHost[1] - 1];
                int blockSize = resource.Cache.BlockSize;
                TensorView stored = resource.Cache.Value.Slice(0, slot / blockSize, 1).Slice(1, slot % blockSize, 1);
                ReadOnlySpan<ushort> bits = stored.AsSpan<ushort>();
                ReadOnlySpan<float> gathered = value.AsSpan<float>();
                for (int i = 0; i < bits.Length; i++) Assert.Equal(BitConverter.UInt32BitsToSingle((uint)bits[i] << 16), gathered[i]);
                context.Release(mark);
            }
        }
    }
}
