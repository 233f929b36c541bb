using System.Diagnostics;
using Microsoft.Extensions.Options;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>What a real session refuses, of its options and of its requests, before anything is computed.</summary>
public sealed class SessionRefusalTests
{
    [Fact]
    public async Task Options_out_of_range_are_all_listed_in_one_exception_before_the_folder_is_looked_at()
    {
        var options = new InferenceSessionOptions
        {
            Device = (DevicePreference)9, DeviceIndex = -1, AttentionBackend = "", MaxModelLen = 0, MaxNumBatchedTokens = -5, MaxNumRequests = 0, BlockSize = 5000,
            KvCacheDType = (KvCacheDType)77, KvCacheMemoryBytes = -1, KvCacheMemoryFraction = double.NaN, NumThreads = 0,
        };
        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => InferenceSession.LoadAsync("/no/such/folder", options));
        string[] named =
        [
            nameof(options.Device), nameof(options.DeviceIndex), nameof(options.AttentionBackend), nameof(options.MaxModelLen), nameof(options.MaxNumBatchedTokens),
            nameof(options.MaxNumRequests), nameof(options.BlockSize), nameof(options.KvCacheDType), nameof(options.KvCacheMemoryBytes),
            nameof(options.KvCacheMemoryFraction), nameof(options.NumThreads),
        ];
        Assert.All(named, name => Assert.Contains(refusal.Failures, failure => failure.Contains(name, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_gpu_that_is_not_there_is_refused_within_a_second_with_every_path_tried()
    {
        if (Directory.Exists("/sys/class/kfd/kfd/topology/nodes")) Assert.Skip("This machine may have an AMD GPU.");
        long start = Stopwatch.GetTimestamp();
        var refusal = await Assert.ThrowsAsync<DeviceNotAvailableException>(
            () => InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, new InferenceSessionOptions { Device = DevicePreference.Hip }));
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 1);
        Assert.NotEmpty(refusal.Reasons);
        Assert.Contains(refusal.Reasons, reason => reason.Contains("libamdhip64", StringComparison.Ordinal));
        Assert.All(refusal.Reasons, reason => Assert.Contains(reason, refusal.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_a_gpu_auto_means_the_processor_and_says_why()
    {
        if (Directory.Exists("/sys/class/kfd/kfd/topology/nodes")) Assert.Skip("This machine may have an AMD GPU.");
        await using InferenceSession session = await InferenceSession.LoadAsync(
            RepositoryPaths.TinyLlama, new InferenceSessionOptions { Device = DevicePreference.Auto });
        Assert.Equal(DeviceKind.Cpu, session.Device.Kind);
        Assert.Contains("no usable GPU", session.Device.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_attention_backend_is_refused_with_the_known_names()
    {
        var refusal = await Assert.ThrowsAsync<AttentionNotSupportedException>(
            () => InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, Cpu(o => o.AttentionBackend = "FLASH_ATTN")));
        Assert.Contains("FLASH_ATTN", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("AttentionBackend", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("TRITON_ATTN", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Combinations_that_cannot_work_are_refused_with_the_option_to_change()
    {
        using SessionFolder folder = SessionFolder.Golden("gemma3");
        InferenceSessionOptions[] impossible =
        [
            Cpu(o => o.KvCacheMemoryBytes = 1),
            Cpu(o => (o.KvCacheMemoryBytes, o.MaxModelLen) = (100_000, 512)),
            Cpu(o => o.KvCacheMemoryBytes = long.MaxValue),
        ];
        foreach (InferenceSessionOptions options in impossible)
        {
            var refusal = await Assert.ThrowsAsync<DeviceMemoryException>(() => InferenceSession.LoadAsync(folder.Path, options));
            Assert.Contains("KvCacheMemoryBytes", refusal.Message, StringComparison.Ordinal);
        }

        var contradiction = await Assert.ThrowsAsync<OptionsValidationException>(
            () => InferenceSession.LoadAsync(folder.Path, Cpu(o => (o.EnableChunkedPrefill, o.MaxNumBatchedTokens, o.MaxModelLen, o.DeviceIndex) = (false, 64, 128, 0))));
        Assert.Equal(2, contradiction.Failures.Count());
    }

    [Fact]
    public async Task A_context_larger_than_the_model_was_made_for_is_what_the_options_say_or_refused()
    {
        using SessionFolder folder = SessionFolder.Golden("qwen3");
        await using InferenceSession session = await InferenceSession.LoadAsync(folder.Path, Cpu(o => o.MaxModelLen = 600));
        Assert.Equal((512, 600), (session.Model.ContextLength, session.Model.MaxModelLen));
        Assert.Equal(50, (await Answer.OfAsync(session, [.. Enumerable.Range(0, 550).Select(i => i % 256)], 50)).Ids.Length);
    }

    [Fact]
    public async Task Requests_that_cannot_be_answered_are_refused_before_any_step()
    {
        using SessionFolder folder = SessionFolder.Golden("qwen3");
        await using InferenceSession session = await InferenceSession.LoadAsync(folder.Path, Cpu(o => o.MaxModelLen = 40));

        var tooLong = await Assert.ThrowsAsync<ContextLengthExceededException>(() => session.CompleteAsync(new string('x', 40)));
        Assert.Equal((40, null, 40), (tooLong.PromptTokens, tooLong.MaxNewTokens, tooLong.MaxModelLen));
        var tooMany = await Assert.ThrowsAsync<ContextLengthExceededException>(() => session.CompleteAsync(new string('x', 30), Answer.Greedy(11)));
        Assert.Equal((30, 11, 40), (tooMany.PromptTokens, tooMany.MaxNewTokens, tooMany.MaxModelLen));
        var megabyte = await Assert.ThrowsAsync<ContextLengthExceededException>(() => session.CompleteAsync(new string('x', 1 << 20)));
        Assert.Equal(1 << 20, megabyte.PromptTokens);
        await Assert.ThrowsAsync<ArgumentException>(() => session.CompleteAsync(string.Empty));
        await Assert.ThrowsAsync<ArgumentException>(() => session.CompleteAsync(Array.Empty<int>()));
        Assert.Contains("UTF-16", (await Assert.ThrowsAsync<ArgumentException>(() => session.CompleteAsync("a\uD800b"))).Message, StringComparison.Ordinal);
        foreach (int id in (int[])[-1, 256, int.MinValue, int.MaxValue])
        {
            var unknown = await Assert.ThrowsAnyAsync<ArgumentException>(() => session.CompleteAsync(new[] { 1, id }));
            Assert.Contains($"{id}", unknown.Message, StringComparison.Ordinal);
            Assert.Contains("256", unknown.Message, StringComparison.Ordinal);
        }

        foreach (GenerationOptions options in (GenerationOptions[])[new() { TopP = 2 }, new() { MaxNewTokens = 0 }, new() { Temperature = float.NaN }, new() { StopTokenIds = [256] }])
            await Assert.ThrowsAnyAsync<ArgumentException>(() => session.CompleteAsync("abc", options));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.CompleteAsync("abc", null, new CancellationToken(canceled: true)));

        Assert.Equal((0L, 0L, 0), (session.Statistics.Steps, session.Statistics.PromptTokens, session.Statistics.KvCacheBlocksUsed));
        Assert.Equal(10, (await session.CompleteAsync(new string('x', 30), Answer.Greedy(10))).TokenIds.Count);
    }

    private static InferenceSessionOptions Cpu(Action<InferenceSessionOptions> change)
    {
        var options = new InferenceSessionOptions { Device = DevicePreference.Cpu, NumThreads = 2 };
        change(options);
        return options;
    }
}
