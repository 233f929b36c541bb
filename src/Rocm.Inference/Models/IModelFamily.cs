namespace Rocm.Inference.Models;

/// <summary>
/// An architecture family: knows which architectures it stands for, and turns their config.json into a <see cref="DecoderSpec"/>.
/// A new family is one file that implements this, and a line in <see cref="ModelRegistry"/>.
/// </summary>
internal interface IModelFamily
{
    /// <summary>Values of "architectures" that it accepts.</summary>
    IReadOnlyList<string> Architectures { get; }

    /// <summary>Values of "model_type" that it accepts when the config names no architecture.</summary>
    IReadOnlyList<string> ModelTypes { get; }

    /// <summary>Reads the config.</summary>
    /// <param name="root">config.json.</param>
    /// <exception cref="ModelLoadException">A value is missing, out of bounds, or asks for something that is not supported.</exception>
    DecoderSpec Describe(ConfigSection root);
}
