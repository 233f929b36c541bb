using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Engine;

/// <summary>Makes an <see cref="AiterReport"/>.</summary>
internal static class AiterSurvey
{
    // LDS of a block, in bytes, where no device is there to ask.
    private const int LdsBytes = 64 << 10;
    private const int LargeLdsBytes = 160 << 10;

    /// <summary>What was found, and what it can do on some devices.</summary>
    public static AiterReport Of(AiterLocation location, IEnumerable<HipDeviceInfo> devices, AiterKernelUse use)
    {
        AiterInstallation? installation = location.Installation;
        var targets = new List<AiterTargetReport>();
        if (installation is not null)
        {
            foreach (HipDeviceInfo device in devices)
            {
                AiterTargetReport report = Target(installation, device, use);
                if (!targets.Any(known => known.Architecture == report.Architecture && known.Chip == report.Chip)) targets.Add(report);
            }

            if (targets.Count == 0) targets.AddRange(installation.Targets.Where(AiterKernelLibrary.IsLaunched).Select(target => Target(installation, target, use)));
        }

        return new AiterReport
        {
            Path = installation?.HsaFolder,
            Version = installation?.Version,
            Summary = location.ToString(),
            Attempts = [.. location.Attempts.Select(attempt => attempt.ToString())],
            Targets = targets,
        };
    }

    private static AiterTargetReport Target(AiterInstallation installation, HipDeviceInfo device, AiterKernelUse use) =>
        Target(installation, device.Target, device.Name, AiterChips.Of(device.PciChipId, device.ComputeUnits), device.LdsBytesPerBlock, use);

    private static AiterTargetReport Target(AiterInstallation installation, string target, AiterKernelUse use) =>
        Target(installation, target, target, AiterChip.Mi300, target == "gfx950" ? LargeLdsBytes : LdsBytes, use);

    private static AiterTargetReport Target(AiterInstallation installation, string? target, string device, AiterChip chip, int ldsLimit, AiterKernelUse use)
    {
        string refusal = use == AiterKernelUse.Never
            ? $"Option {nameof(InferenceSessionOptions.AiterKernels)} wants none of them."
            : AiterKernelLibrary.RefusalOf(target, device, allowUnproven: use == AiterKernelUse.Any);
        AiterCapabilities? capabilities = target is not null && AiterKernelLibrary.IsLaunched(target) ? AiterCapabilities.Of(installation, target, chip, ldsLimit) : null;
        string folder = target is null ? "" : AiterChips.FolderOf(chip, AiterFamily.FlashForward, target);
        return new AiterTargetReport
        {
            Architecture = target ?? "unknown",
            Chip = folder.Length > 0 ? folder : null,
            Refusal = refusal.Length > 0 ? refusal : null,
            Defects = capabilities is null ? [] : capabilities.Defects,
            Kernels =
            [
                .. (capabilities?.Kernels ?? []).Select(kernel =>
                    new AiterKernelInfo(AiterFamilies.FolderOf(kernel.Family), kernel.Operation, kernel.Symbol, kernel.IsUsable ? null : kernel.Refusal)),
            ],
        };
    }
}
