using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>MergeStates of a device against the oracle.</summary>
public abstract class MergeStatesConformance
{
    protected abstract IDevice CreateDevice(int numThreads);

    [Theory]
    [InlineData(1, 1, 1, 0)]
    [InlineData(33, 7, 80, 1)]
    [InlineData(65, 16, 128, 2)]
    [InlineData(5, 3, 33, 0)]
    public void Merged_states_equal_the_oracle_also_in_place(int tokens, int heads, int dim, int inPlaceOf)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(tokens + dim);
        using var tensors = new PoisonedTensors(device);
        float[] a = tensors.Draw(random, tokens * heads * dim), b = tensors.Draw(random, tokens * heads * dim);
        float[] lseA = random.Floats(tokens * heads, 20), lseB = random.Floats(tokens * heads, 20);

        // Parts without keys, marked in both ways; what they hold must not count.
        for (int t = 0; t < tokens; t++)
        {
            for (int h = 0; h < heads; h++)
            {
                if (random.Chance(0.2)) Empty(a, lseA, t, h);
                if (random.Chance(0.2)) Empty(b, lseB, t, h);
            }
        }

        var args = new MergeStatesArgs
        {
            OutputA = tensors.Activations(a, tokens, heads, dim),
            OutputB = tensors.Activations(b, tokens, heads, dim),
            LseA = tensors.F32(lseA, heads, tokens),
            LseB = tensors.F32(lseB, heads, tokens),
            Output = tensors.PoisonActivations(tokens, heads, dim),
            Lse = tensors.Poison(DType.F32, heads, tokens),
        };
        if (inPlaceOf == 1) args = args with { Output = args.OutputA, Lse = args.LseA };
        if (inPlaceOf == 2) args = args with { Output = args.OutputB, Lse = args.LseB };
        device.AttentionKernels.MergeStates(tensors.Context, args);
        float[] output = tensors.Read(args.Output), lse = tensors.Read(args.Lse);
        for (int t = 0; t < tokens; t++)
        {
            (double[] expected, double[] expectedLse) = OracleAttention.Merge(Token(a, lseA, t), Token(b, lseB, t));
            tensors.Tolerance.Check(expected, output.AsSpan(t * heads * dim, heads * dim), $"token {t}");
            for (int h = 0; h < heads; h++)
            {
                if (double.IsNegativeInfinity(expectedLse[h])) Assert.Equal(float.NegativeInfinity, lse[(h * tokens) + t]);
                else Assert.Equal(expectedLse[h], lse[(h * tokens) + t], 1e-5);
            }
        }

        tensors.Verify();

        void Empty(float[] x, float[] logs, int t, int h)
        {
            x.AsSpan(((t * heads) + h) * dim, dim).Fill(float.NaN);
            logs[(h * tokens) + t] = random.Pick(float.NegativeInfinity, float.PositiveInfinity);
        }

        (double[], double[]) Token(float[] x, float[] logs, int t) =>
            ([.. x.AsSpan(t * heads * dim, heads * dim).ToArray()], [.. Enumerable.Range(0, heads).Select(h => (double)logs[(h * tokens) + t])]);
    }

    [Fact]
    public void Two_empty_states_give_zero_and_minus_infinity_and_an_empty_one_leaves_the_other_as_it_is()
    {
        using IDevice device = CreateDevice(1);
        using var tensors = new PoisonedTensors(device);
        float[] x = tensors.Draw(new TestRandom(5), 32);
        var args = new MergeStatesArgs
        {
            OutputA = tensors.PoisonActivations(2, 1, 16),
            LseA = tensors.F32([float.PositiveInfinity, float.NegativeInfinity], 1, 2),
            OutputB = tensors.Activations(x, 2, 1, 16),
            LseB = tensors.F32([float.NegativeInfinity, -3.25f], 1, 2),
            Output = tensors.PoisonActivations(2, 1, 16),
            Lse = tensors.Poison(DType.F32, 1, 2),
        };
        device.AttentionKernels.MergeStates(tensors.Context, args);
        float[] output = tensors.Read(args.Output);
        Assert.All(output[..16], v => Assert.Equal(0, v));
        Assert.Equal(x[16..], output[16..]);
        Assert.Equal([float.NegativeInfinity, -3.25f], tensors.Read(args.Lse));
    }
}
