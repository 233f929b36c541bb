using System.Diagnostics;

namespace Rocm.Inference.Diagnostics;

/// <summary>The traces of the library. Attributes that MEAI's clients emit are not repeated here.</summary>
internal static class InferenceActivities
{
    public const string Name = "Rocm.Inference";

    public static ActivitySource Source { get; } = new(Name);
}
