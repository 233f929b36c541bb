using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.SelfTest;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>
/// Runs the attention primitives that AITER has kernels for on the emulated gfx942, by its kernels and by this library's, and writes both down.
/// Without an installation the rows of AITER's kernels in the report stay as they are: they do not change with this library.
/// </summary>
internal static class AiterCounts
{
    public const string Heading = "## AITER's code objects beside ours";

    private const string Ours = "ours";

    /// <summary>Appends the section.</summary>
    /// <param name="text">The report.</param>
    /// <param name="path">Where AITER is; null: what ROCM_INFERENCE_AITER_PATH says.</param>
    /// <param name="known">Lines of the report as it was.</param>
    public static void Append(StringBuilder text, string? path, IReadOnlyList<string> known)
    {
        AiterInstallation? installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(path)).Installation;
        string[] section = [.. known.SkipWhile(line => line != Heading).Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal))];
        string source = installation is null ? section.FirstOrDefault(line => line.StartsWith("AITER:", StringComparison.Ordinal)) ?? "" : $"AITER: {Describe(installation)}.";
        text.Append(CultureInfo.InvariantCulture, $"\n{Heading}\n\n");
        if (source.Length == 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"No AITER was given: {AiterSearch.PathVariable} or --aiter names a checkout or an installation whose code objects are executed then.\n");
            return;
        }

        text.Append("What a whole primitive takes on gfx942, counted as above: by AITER's kernels, with what this library launches around them, and by this library's own. Rows of AITER's\n");
        text.Append(CultureInfo.InvariantCulture, $"kernels are made anew where {AiterSearch.PathVariable} or --aiter names an installation, and are kept where none is. Caches start as zeros here.\n{source}\n\n");
        text.Append("| kernel | shape | whose | launches | wave-instructions | matrix instructions | per KV token and head | per MFLOP | lines / floor |\n");
        text.Append("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        using HipGpu own = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using HipGpu? other = installation is null ? null : new HipGpu(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), EmulatedGpu.Instance.Compiler, Open(installation));
        foreach (AiterCase one in AiterCase.All())
        {
            string begin = $"| {one.Check.Kernel} | {one.Check.Shape} | aiter";
            if (other is null)
            {
                foreach (string row in section.Where(row => row.StartsWith(begin, StringComparison.Ordinal))) text.Append(row).Append('\n');
            }
            else if (((IDevice)other).ProviderOf(one.Primitive, one.Shape.Spec).Name == "aiter")
            {
                Append(text, one, "aiter", MeasureOfAiter(other, one.Check));
            }
            else
            {
                throw new InvalidOperationException($"{installation} does not serve {one.Check.Kernel} {one.Check.Shape}: {string.Join(' ', ((IDevice)other).ProviderOf(one.Primitive, one.Shape.Spec).Reasons)}");
            }

            Append(text, one, Ours, EmulatedMeasure.Of(own, one.Check, own.AttentionKernels, hasClearedCache: true));
        }
    }

    /// <summary>The version, and a hash of the manifests, since a checkout has no version.</summary>
    private static string Describe(AiterInstallation installation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (AiterFamily family in AiterFamilies.All)
            hash.AppendData(File.ReadAllBytes(Path.Combine(installation.HsaFolder, EmulatedGpu.Gfx942, AiterFamilies.FolderOf(family), AiterFamilies.ManifestOf(family))));
        return $"{installation.Version ?? "a checkout"}, manifests {Convert.ToHexStringLower(hash.GetHashAndReset())[..8]}";
    }

    private static AiterKernelLibrary Open(AiterInstallation installation) =>
        AiterKernelLibrary.Open(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), installation, allowUnproven: false, out string reason) ?? throw new InvalidOperationException(reason);

    private static EmulatedMeasure MeasureOfAiter(HipGpu gpu, SelfTestCheck check)
    {
        // Some of the kernels order their waves in other ways than by barriers, which the check for LDS races does not follow.
        EmulatedGpu.Instance.Set("races", "0");
        EmulatedMeasure measure = EmulatedMeasure.Of(gpu, check, ((IDevice)gpu).AiterAttentionKernels, hasClearedCache: true);
        EmulatedGpu.Instance.Set("races", "1");
        return measure;
    }

    private static void Append(StringBuilder text, AiterCase one, string whose, EmulatedMeasure measure)
    {
        string perToken = one.KvTokens is { } tokens ? (measure.Instructions / tokens).ToString("0.##", CultureInfo.InvariantCulture) : "";
        text.Append(CultureInfo.InvariantCulture, $"| {one.Check.Kernel} | {one.Check.Shape} | {whose} | {measure.Launches} | {measure.Instructions} | {measure.MatrixInstructions} ");
        text.Append(CultureInfo.InvariantCulture, $"| {perToken} | {measure.Instructions / one.MegaFlops:0.##} | {measure.LineShare:0.00} |\n");
    }
}
