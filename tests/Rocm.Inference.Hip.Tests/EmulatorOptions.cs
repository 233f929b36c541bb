using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>Tests that change options of the emulator, which all tests of the process share: they run alone.</summary>
[CollectionDefinition(Collection, DisableParallelization = true)]
public sealed class EmulatorOptions
{
    public const string Collection = "options of the emulator";

    /// <summary>Whether everything is to be run, however long it takes, instead of a sample.</summary>
    internal static bool RunsAll => Environment.GetEnvironmentVariable("ROCM_INFERENCE_FULL_CONFORMANCE") == "1";

    internal static void Reset()
    {
        EmulatedGpu.Instance.Set("fail", "");
        EmulatedGpu.Instance.Set("budget", "17179869184");
        EmulatedGpu.Instance.Set("reset", "1");
    }
}
