using Rocm.Inference.Layers;
using Rocm.Inference.Tests.Models;
using Xunit;

namespace Rocm.Inference.Tests.Layers;

/// <summary>Frequencies against the formulas of the papers, written out for each pair.</summary>
public sealed class RotaryEmbeddingTests
{
    private const int MaxSeqLen = 64;

    [Fact]
    public void Unscaled_frequencies_are_powers_of_the_base()
    {
        double[] frequencies = Frequencies(null);

        Assert.Equal([1.0, Math.Pow(10_000, -0.25), Math.Pow(10_000, -0.5), Math.Pow(10_000, -0.75)], frequencies);
    }

    [Fact]
    public void Linear_scaling_divides_every_frequency() =>
        AssertClose(Frequencies(null).Select(f => f / 2.5), Frequencies("""{"type":"linear","factor":2.5}"""));

    [Fact]
    public void Dynamic_scaling_is_none_within_the_trained_length_and_moves_the_base_beyond()
    {
        const string scaling = """{"rope_type":"dynamic","factor":2.0}""";

        Assert.Equal(Frequencies(null), Frequencies(scaling, maxSeqLen: 64));
        Assert.Equal(Frequencies(null), Frequencies(scaling, maxSeqLen: 10));
        double theta = 10_000 * Math.Pow((2.0 * 96 / 64) - 1, 8.0 / 6);
        AssertClose(Enumerable.Range(0, 4).Select(i => 1 / Math.Pow(theta, i / 4.0)), Frequencies(scaling, maxSeqLen: 96));
    }

    [Fact]
    public void Llama3_keeps_short_waves_divides_long_ones_and_blends_between()
    {
        // Wavelengths 6.3, 62.8, 628, 6283; bounds 1024/4 = 256 and 1024/1 = 1024.
        double[] plain = Frequencies(null);
        double[] scaled = Frequencies("""{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":1024}""");

        double smooth = ((1024 / (2 * Math.PI / plain[2])) - 1) / 3;
        AssertClose([plain[0], plain[1], (((1 - smooth) / 8) + smooth) * plain[2], plain[3] / 8], scaled);
    }

    [Fact]
    public void Yarn_ramps_between_the_dimensions_of_32_and_1_rotations()
    {
        double[] plain = Frequencies(null);
        RopeParameters rope = Rope("""{"type":"yarn","factor":4.0,"original_max_position_embeddings":2048}""");

        // 8·ln(2048/(64π))/(2·ln 10000) = 1.01 and 8·ln(2048/(2π))/(2·ln 10000) = 2.51: the ramp goes from 1 to 3.
        AssertClose([plain[0], plain[1], plain[2] * (0.5 + (0.5 / 4)), plain[3] / 4], RotaryEmbedding.InverseFrequencies(rope, MaxSeqLen));
        Assert.Equal((0.1 * Math.Log(4)) + 1, rope.AttentionFactor, 1e-12);
    }

    [Fact]
    public void Yarn_without_truncation_ramps_between_fractions()
    {
        double[] plain = Frequencies(null);
        double low = 8 * Math.Log(2048 / (64 * Math.PI)) / (2 * Math.Log(10_000));
        double high = 8 * Math.Log(2048 / (2 * Math.PI)) / (2 * Math.Log(10_000));
        double ramp = (2 - low) / (high - low);

        double[] scaled = Frequencies("""{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":2048,"truncate":false}""");

        AssertClose([plain[0], plain[1], plain[2] * ((ramp / 4) + 1 - ramp), plain[3] / 4], scaled);
    }

    [Theory]
    [InlineData("\"attention_factor\":1.5", 1.5)]
    [InlineData("\"mscale\":0.7", 1.1386294361119891)]
    [InlineData("\"mscale\":1.0,\"mscale_all_dim\":1.0", 1.0)]
    [InlineData("\"mscale\":0.0,\"mscale_all_dim\":1.0", 1.1386294361119891)]
    public void Yarn_takes_its_attention_factor_from_where_the_config_puts_it(string field, double expected) =>
        Assert.Equal(expected, Rope("{\"type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":2048," + field + "}").AttentionFactor, 1e-12);

    [Fact]
    public void Yarn_with_two_mscales_takes_their_ratio()
    {
        RopeParameters rope = Rope("""{"type":"yarn","factor":40,"mscale":0.9,"mscale_all_dim":0.5,"original_max_position_embeddings":4096}""");

        Assert.Equal(((0.09 * Math.Log(40)) + 1) / ((0.05 * Math.Log(40)) + 1), rope.AttentionFactor, 1e-12);
    }

    [Fact]
    public void Longrope_chooses_its_factors_by_the_longest_sequence_of_the_session()
    {
        const string scaling = """{"type":"longrope","short_factor":[1,2,3,4],"long_factor":[5,6,7,8],"original_max_position_embeddings":16}""";
        double[] plain = Frequencies(null);

        AssertClose(plain.Select((f, i) => f / (i + 1)), Frequencies(scaling, maxSeqLen: 16));
        AssertClose(plain.Select((f, i) => f / (i + 5)), Frequencies(scaling, maxSeqLen: 17));
        Assert.Equal(Math.Sqrt(1 + (Math.Log(64.0 / 16) / Math.Log(16))), Rope(scaling).AttentionFactor, 1e-12);
    }

    [Theory]
    [InlineData("""{"rope_theta":5000.0,"rope_type":"linear","factor":2.0}""", """{"type":"linear","factor":2.0}""", "5000.0")]
    [InlineData("""{"rope_theta":5000.0,"rope_type":"default"}""", "null", "5000.0")]
    [InlineData("""{"rope_theta":5000.0,"rope_type":"dynamic","factor":3.0}""", """{"rope_type":"dynamic","factor":3.0}""", "5000.0")]
    public void Both_spellings_of_a_config_give_equal_parameters(string newer, string older, string theta)
    {
        RopeParameters fromNewer = Decoder(("rope_parameters", newer));
        RopeParameters fromOlder = Decoder(("rope_scaling", older), ("rope_theta", theta));

        Assert.Equal(fromOlder, fromNewer);
        Assert.Equal(fromOlder.GetHashCode(), fromNewer.GetHashCode());
        Assert.NotEqual(fromOlder with { LongFactors = [1] }, fromNewer);
    }

    [Fact]
    public void Rows_hold_cosines_then_sines_times_the_attention_factor()
    {
        RopeParameters rope = Rope("""{"type":"yarn","factor":4.0,"original_max_position_embeddings":2048,"attention_factor":2.0}""");
        double[] frequencies = RotaryEmbedding.InverseFrequencies(rope, MaxSeqLen);
        var rows = new float[3 * 8];

        RotaryEmbedding.Fill(rope, 1_000_000, frequencies, rows);

        for (int row = 0; row < 3; row++)
        {
            for (int i = 0; i < 4; i++)
            {
                Assert.Equal((float)(2 * Math.Cos((1_000_000 + row) * frequencies[i])), rows[(8 * row) + i]);
                Assert.Equal((float)(2 * Math.Sin((1_000_000 + row) * frequencies[i])), rows[(8 * row) + 4 + i]);
            }
        }
    }

    private static double[] Frequencies(string? scaling, int maxSeqLen = MaxSeqLen) => RotaryEmbedding.InverseFrequencies(Rope(scaling), maxSeqLen);

    private static RopeParameters Rope(string? scaling) => Decoder(("rope_scaling", scaling ?? "null"));

    private static RopeParameters Decoder(params (string Key, string? Json)[] changes) =>
        TinyLlama.Decoder([("head_dim", "8"), .. changes]).Layers[0].Attention.Rope!;

    private static void AssertClose(IEnumerable<double> expected, IReadOnlyList<double> actual)
    {
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
        Assert.Equal(4, actual.Count);
    }
}
