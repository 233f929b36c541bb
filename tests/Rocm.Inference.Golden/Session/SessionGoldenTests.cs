using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>Every supported golden checkpoint through the public session: greedy ids, and log-probabilities after the prompt.</summary>
public sealed class SessionGoldenTests
{
    /// <summary>Twice what <see cref="GoldenForwardTests"/> accepts of a logit: a log-probability has the error of the logit and of the normaliser.</summary>
    private const double Tolerance = 4e-5;

    private const int NumRivals = 20;

    public static TheoryData<string> Supported => GoldenPlanTests.Dense;

    [Theory]
    [MemberData(nameof(Supported))]
    public async Task A_session_says_what_the_independent_program_says(string name)
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
                };
                await using InferenceSession session = await InferenceSession.LoadAsync(folder.Path, options);
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
