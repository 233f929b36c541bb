using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>
/// The models' own numbers, with every attention backend, against those of the independent program, which computed in double: f32 arithmetic and an f32
/// cache here, so that the only difference allowed is rounding. Contexts are gathered a few tokens at a time.
/// </summary>
public sealed class GoldenForwardTests : IDisposable
{
    /// <summary>
    /// Largest accepted error of a logit; logits have a standard deviation of about 1. Measured are at most 1e-5 here, and 1.3e-5 for the
    /// independent program's own f32 run; moving every weight by one part in a million (16 ulps of f32) moves a logit by up to 1.3e-4, an ignored
    /// feature by 0.01 and more.
    /// </summary>
    private const double Tolerance = 2e-5;

    private readonly string _folder = Directory.CreateTempSubdirectory("golden-").FullName;
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    public static TheoryData<string, string> All => GoldenBackends.All;

    public void Dispose()
    {
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Logits_of_every_recorded_position_equal_the_golden_ones(string name, string backend) => ForEachCase(name, backend, (golden, session) =>
    {
        int[] positions = [.. golden.Logits.Keys];
        float[][] logits = session.Forward(golden.Prompt, prefixLen: 0, positions);

        foreach ((int position, float[] row) in positions.Zip(logits)) AssertClose(golden, position, row);
        Assert.InRange(session.PeakScratchBytes, 1, session.ScratchBytes);
    });

    [Theory]
    [MemberData(nameof(All))]
    public void Greedy_ids_equal_the_golden_ones(string name, string backend) => ForEachCase(name, backend, (golden, session) =>
    {
        List<int> tokens = [.. golden.Prompt];
        int prefix = 0;
        for (int step = 0; step < golden.Greedy.Length; step++)
        {
            Assert.True(golden.GreedyMargins[step] > 2 * Tolerance, "a margin this small cannot be decided");
            float[] logits = Assert.Single(session.Forward([.. tokens], prefix, tokens.Count - 1));
            prefix = tokens.Count;
            tokens.Add(logits.Index().MaxBy(logit => logit.Item).Index);
        }

        Assert.Equal(golden.Greedy, tokens[golden.Prompt.Length..]);
    });

    [Theory]
    [MemberData(nameof(All))]
    public void A_prompt_in_chunks_gives_the_golden_logits_and_by_a_single_path_the_same_bits(string name, string backend) =>
        ForEachCase(name, backend, (golden, session) =>
        {
            // A single token and a long rest on a context: decode and extend where a backend tells them apart.
            int last = golden.Prompt.Length - 1;
            float[] whole = Assert.Single(session.Forward(golden.Prompt, 0, last));
            session.Forward(golden.Prompt.AsSpan(0, 7), 0);
            session.Forward(golden.Prompt.AsSpan(0, 8), 7, 7);
            float[] chunked = Assert.Single(session.Forward(golden.Prompt, 8, last));

            if (GoldenBackends.HasOnePath(backend)) Assert.Equal(whole, chunked);
            else AssertClose(golden, last, chunked);
        });

    private void ForEachCase(string name, string backend, Action<GoldenCase, ModelSession> check)
    {
        // Both types of weights with the first backend; the others see the same activations.
        GoldenCheckpoint checkpoint = GoldenCheckpoint.Load(name);
        bool isFirst = backend == TestBackends.Names(GoldenBackends.KindOf(name))[0];
        foreach (GoldenCase golden in isFirst ? checkpoint.Cases : checkpoint.CasesWith(GoldenWeights.BFloat16))
        {
            string folder = Path.Combine(_folder, golden.Weights.ToString());
            if (!Directory.Exists(folder)) checkpoint.WriteTo(folder, golden.Weights);
            using var session = new ModelSession(_device, folder, golden.SessionLength, DType.F32, backend: TestBackends.Named(backend));
            check(golden, session);
        }
    }

    private static void AssertClose(GoldenCase golden, int position, float[] actual)
    {
        double[] expected = golden.Logits[position];
        Assert.Equal(expected.Length, actual.Length);
        (int id, double error) = expected.Zip(actual, (e, a) => Math.Abs(e - a)).Index().MaxBy(error => double.IsNaN(error.Item) ? double.MaxValue : error.Item);
        Assert.True(error <= Tolerance, $"{golden.Name}, {golden.Weights}, position {position}, id {id}: expected {expected[id]}, found {actual[id]}, error {error:g3}");
    }
}
