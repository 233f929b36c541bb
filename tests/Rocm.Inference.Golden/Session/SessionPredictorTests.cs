using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>Layers behind the last that predict further tokens (DeepSeek's MTP) are left out, and that is told once.</summary>
public sealed class SessionPredictorTests
{
    [Fact]
    public async Task Weights_of_multi_token_prediction_are_ignored_with_one_line_in_the_log()
    {
        using SessionFolder folder = SessionFolder.Golden("deepseek-v3", GoldenWeights.BFloat16);
        string path = folder.File("model.safetensors");
        RawTensor[] tensors = RawSafetensors.Read(path);
        RawTensor[] predictor =
        [
            .. tensors.Where(tensor => tensor.Name.StartsWith("model.layers.2.", StringComparison.Ordinal))
                .Select(tensor => tensor with { Name = tensor.Name.Replace("layers.2.", "layers.3.", StringComparison.Ordinal) }),
            RawTensor.BF16("model.layers.3.eh_proj.weight", [64, 128], new float[64 * 128]),
        ];
        File.Delete(path);
        RawSafetensors.Write(path, [.. tensors, .. predictor]);
        Damage.Config(folder, "num_nextn_predict_layers", "1");
        GoldenCase golden = GoldenCheckpoint.Load("deepseek-v3").CasesWith(GoldenWeights.BFloat16).Single();
        using var log = new ListLogger();
        var options = new InferenceSessionOptions { ModelPath = folder.Path, Device = DevicePreference.Cpu, NumThreads = 1, KvCacheDType = KvCacheDType.F32 };
        await using InferenceSession session = new InferenceSessionBuilder(options).UseLoggerFactory(log).Build();
        GenerationResult result = await session.CompleteAsync(golden.Prompt, Answer.Greedy(golden.Greedy.Length));

        Assert.Equal(golden.Greedy, result.TokenIds);
        string line = Assert.Single(log.Lines, line => line.Contains("MTP", StringComparison.Ordinal));
        Assert.Contains($"{predictor.Length} tensors", line, StringComparison.Ordinal);
        Assert.DoesNotContain(log.Lines, line => line.Contains("layers.3.", StringComparison.Ordinal));
    }

    private sealed class ListLogger : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = [];

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
