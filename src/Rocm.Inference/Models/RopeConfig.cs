using Rocm.Inference.Layers;

namespace Rocm.Inference.Models;

/// <summary>
/// Reads rope parameters in both spellings: rope_theta, rope_scaling and partial_rotary_factor beside the other keys (transformers 4),
/// or all of them in rope_parameters (transformers 5).
/// </summary>
internal static class RopeConfig
{
    /// <summary>The parameters that all layers share.</summary>
    /// <param name="config">The section of the language model.</param>
    /// <param name="dimensions">Head dimension and longest sequence.</param>
    /// <param name="defaultTheta">Base when the config names none.</param>
    /// <param name="rename">Maps a rope_type to another, for families with names of their own.</param>
    public static RopeParameters Read(ConfigSection config, DecoderDimensions dimensions, double defaultTheta = 10_000, Func<string, string>? rename = null)
    {
        // An old rope_scaling wins over rope_parameters, as in transformers; normally only one of them is there.
        ConfigSection? scaling = config.OptionalSection("rope_scaling") ?? config.OptionalSection("rope_parameters");
        return Read(config, scaling, dimensions, Theta(config, "rope_theta", defaultTheta), rename);
    }

    /// <summary>The parameters of one section.</summary>
    /// <param name="config">Where keys that stand outside the section are: partial_rotary_factor, original_max_position_embeddings.</param>
    /// <param name="scaling">rope_scaling, rope_parameters or a layer type's part of it; null = unscaled.</param>
    /// <param name="dimensions">Head dimension and longest sequence.</param>
    /// <param name="theta">Base when the section names none.</param>
    /// <param name="rename">Maps a rope_type to another.</param>
    public static RopeParameters Read(
        ConfigSection config, ConfigSection? scaling, DecoderDimensions dimensions, double theta, Func<string, string>? rename = null)
    {
        double partial = scaling?.OptionalNumber("partial_rotary_factor", 0, 1) ?? config.Number("partial_rotary_factor", 0, 1, 1);
        int rotaryDim = (int)(dimensions.HeadDim * partial);
        if (rotaryDim < 2 || rotaryDim % 2 != 0) throw config.Bad("head_dim", "an even number of rotated elements, at least 2", $"{rotaryDim}");
        if (scaling is not { } section) return new RopeParameters { Theta = theta, RotaryDim = rotaryDim };
        var plain = new RopeParameters { Theta = Theta(section, "rope_theta", theta), RotaryDim = rotaryDim };
        string type = section.OptionalString("rope_type") ?? section.OptionalString("type") ?? "default";
        type = rename?.Invoke(type) ?? type;
        return type switch
        {
            "default" => plain,
            "linear" => plain with { Scaling = RopeScaling.Linear, Factor = Factor(section) },
            "dynamic" => Dynamic(section, dimensions, plain),
            "llama3" => Llama3(section, plain, Original(config, section, dimensions)),
            "yarn" => Yarn(section, dimensions, plain, Original(config, section, dimensions)),
            "longrope" or "su" => LongRope(section, dimensions, plain, Original(config, section, dimensions)),
            _ => throw section.Bad("rope_type", "default, linear, dynamic, llama3, yarn or longrope", type),
        };
    }

    /// <summary>
    /// What yarn multiplies the softmax scale of latent attention by: mscale(factor, mscale_all_dim)², since the factor on cos and sin reaches
    /// the rotated part of a head only.
    /// </summary>
    /// <param name="config">The section of the language model.</param>
    /// <param name="rope">What <see cref="Read(ConfigSection, DecoderDimensions, double, Func{string, string}?)"/> read from it.</param>
    public static double LatentScaleFactor(ConfigSection config, RopeParameters rope)
    {
        ConfigSection? scaling = config.OptionalSection("rope_scaling") ?? config.OptionalSection("rope_parameters");
        if (rope.Scaling != RopeScaling.Yarn || scaling?.OptionalNumber("mscale_all_dim", 0, 100) is not > 0) return 1;
        double mscale = Mscale(rope.Factor, scaling.Value.Number("mscale_all_dim", 0, 100));
        return mscale * mscale;
    }

    /// <summary>A base under some name. Above 1: scalings divide by its logarithm.</summary>
    public static double Theta(ConfigSection section, string name, double fallback) => section.Number(name, 1 + 1e-6, ConfigLimits.RopeTheta, fallback);

    private static RopeParameters Dynamic(ConfigSection section, DecoderDimensions dimensions, RopeParameters plain)
    {
        if (plain.RotaryDim == 2) throw section.Bad("rope_type", "more than 2 rotated elements for dynamic", "2");
        return plain with { Scaling = RopeScaling.Dynamic, Factor = Factor(section), OriginalMaxPositions = dimensions.MaxPositionEmbeddings };
    }

    private static RopeParameters Llama3(ConfigSection section, RopeParameters plain, int original)
    {
        double low = section.Number("low_freq_factor", 1e-6, ConfigLimits.RopeFactor);
        double high = section.Number("high_freq_factor", 1e-6, ConfigLimits.RopeFactor);
        if (low >= high) throw section.Bad("high_freq_factor", $"more than low_freq_factor = {low}", $"{high}");
        return plain with { Scaling = RopeScaling.Llama3, Factor = Factor(section), OriginalMaxPositions = original, LowFreqFactor = low, HighFreqFactor = high };
    }

    private static RopeParameters Yarn(ConfigSection section, DecoderDimensions dimensions, RopeParameters plain, int original)
    {
        double factor = section.OptionalNumber("factor", 1e-6, ConfigLimits.RopeFactor) ?? (double)dimensions.MaxPositionEmbeddings / original;
        double? mscale = section.OptionalNumber("mscale", 0, 100);
        double? mscaleAllDim = section.OptionalNumber("mscale_all_dim", 0, 100);
        double attention = section.OptionalNumber("attention_factor", 1e-6, 1e6)
            ?? (mscale is > 0 && mscaleAllDim is > 0 ? Mscale(factor, mscale.Value) / Mscale(factor, mscaleAllDim.Value) : Mscale(factor, 1));
        return plain with
        {
            Scaling = RopeScaling.Yarn,
            Factor = factor,
            OriginalMaxPositions = original,
            BetaFast = Beta("beta_fast", 32),
            BetaSlow = Beta("beta_slow", 1),
            Truncate = section.Bool("truncate", true),
            AttentionFactor = attention,
        };

        double Beta(string name, double fallback) => section.OptionalNumber(name, 0, 1e6) is { } beta and > 0 ? beta : fallback;
    }

    private static RopeParameters LongRope(ConfigSection section, DecoderDimensions dimensions, RopeParameters plain, int original)
    {
        double factor = section.OptionalNumber("factor", 1e-6, ConfigLimits.RopeFactor) ?? (double)dimensions.MaxPositionEmbeddings / original;
        double attention = section.OptionalNumber("attention_factor", 1e-6, 1e6)
            ?? (factor <= 1 || original == 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original))));
        return plain with
        {
            Scaling = RopeScaling.LongRope,
            Factor = factor,
            OriginalMaxPositions = original,
            AttentionFactor = attention,
            ShortFactors = Factors("short_factor"),
            LongFactors = Factors("long_factor"),
        };

        IReadOnlyList<double> Factors(string name)
        {
            int pairs = plain.RotaryDim / 2;
            IReadOnlyList<double> factors = section.OptionalNumbers(name, ConfigLimits.HeadDim, 1e-6, ConfigLimits.RopeFactor) ?? [];
            return factors.Count == pairs ? factors : throw section.Bad(name, $"{pairs} numbers, one for each rotated pair", $"{factors.Count}");
        }
    }

    private static double Mscale(double factor, double mscale) => factor <= 1 ? 1 : (0.1 * mscale * Math.Log(factor)) + 1;

    private static double Factor(ConfigSection section) => section.Number("factor", 1e-6, ConfigLimits.RopeFactor);

    // Phi-3 has the original length beside rope_scaling, where it wins; all others have it inside.
    private static int Original(ConfigSection config, ConfigSection section, DecoderDimensions dimensions) =>
        config.OptionalInt("original_max_position_embeddings", 1, ConfigLimits.Positions)
        ?? section.OptionalInt("original_max_position_embeddings", 1, ConfigLimits.Positions)
        ?? dimensions.MaxPositionEmbeddings;
}
