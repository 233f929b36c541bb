using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>Every supported golden checkpoint through the public session: greedy ids, and log-probabilities after the prompt.</summary>
public sealed class SessionGoldenTests
{
    /// <summary>Twice what <see cref="GoldenForwardTests"/> accepts of a logit: a log-probability has the error of the logit and of the normaliser.</summary>
    private const double Tolerance = 4e-5;

    private const int NumRivals = 20;

    /// <summary>Every checkpoint with the backend that a session chooses, and some with each that can be chosen.</summary>
    public static TheoryData<string, string?> Choices
    {
        get
        {
            var data = new TheoryData<string, string?>();
            foreach (string name in GoldenCheckpoint.Names) data.Add(name, null);
            foreach (string name in (string[])["deepseek-v3", "gemma3", "gpt-oss", "mixtral"])
            {
                foreach (string backend in TestBackends.Names(GoldenBackends.KindOf(name))) data.Add(name, backend);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Choices))]
    public async Task A_session_says_what_the_independent_program_says(string name, string? backend)
    {
        GoldenCheckpoint checkpoint = GoldenCheckpoint.Load(name);
        foreach (GoldenWeights weights in Enum.GetValues<GoldenWeights>())
        {
            using var folder = SessionFolder.Golden(name, weights, shards: weights == GoldenWeights.Float32 ? 1 : 3);
            foreach (GoldenCase golden in checkpoint.CasesWith(weights))
            {
                var options = new InferenceSessionOptions
                {
                    Device = DevicePreference.Cpu, NumThreads = 2, KvCacheDType = KvCacheDType.F32, MaxModelLen = golden.SessionLength,
                    AttentionBackend = backend,
                };
                await using InferenceSession session = await InferenceSession.LoadAsync(folder.Path, options);
                Assert.Equal(backend ?? session.Attention.Name, session.Attention.Name);
                GenerationResult result = await session.CompleteAsync(
                    golden.Prompt, Answer.Greedy(golden.Greedy.Length) with { Logprobs = NumRivals });

                Assert.Equal(golden.Greedy, result.TokenIds);
                double max = golden.LastLogits.Max();
                double normaliser = max + Math.Log(golden.LastLogits.Sum(logit => Math.Exp(logit - max)));
                int[] best = [.. golden.LastLogits.Index().OrderByDescending(logit => logit.Item).Select(logit => logit.Index).Take(NumRivals)];
                foreach ((int rank, TokenLogprob rival) in result.Logprobs[0].Top.Index())
                {
                    Assert.Equal(golden.LastLogits[rival.TokenId] - normaliser, rival.Logprob, Tolerance);
                    Assert.Equal(golden.LastLogits[best[rank]] - normaliser, rival.Logprob, Tolerance);
                }
            }
        }
    }
}
