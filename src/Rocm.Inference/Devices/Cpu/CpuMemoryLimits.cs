using System.Globalization;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>How much memory this process may use: the machine's, or that of the smallest cgroup (v1 or v2) around it.</summary>
internal static class CpuMemoryLimits
{
    private const string UnifiedRoot = "/sys/fs/cgroup";
    private const string LegacyRoot = "/sys/fs/cgroup/memory";

    /// <summary>The machine's memory or the cgroup limit.</summary>
    public static long TotalBytes
    {
        get
        {
            long total = MachineBytes("MemTotal:") ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            foreach (Limit limit in CgroupLimits()) total = Math.Min(total, limit.MaxBytes);
            return total;
        }
    }

    /// <summary>What can still be allocated now without swapping or being killed.</summary>
    public static long AvailableBytes
    {
        get
        {
            long available = MachineBytes("MemAvailable:")
                ?? Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet);
            foreach (Limit limit in CgroupLimits()) available = Math.Min(available, Math.Max(0, limit.MaxBytes - limit.UsedBytes));
            return available;
        }
    }

    private static IEnumerable<Limit> CgroupLimits()
    {
        foreach (string line in ReadLines("/proc/self/cgroup"))
        {
            string[] parts = line.Split(':', 3);
            if (parts.Length != 3) continue;
            bool unified = parts[0] == "0" && parts[1].Length == 0;
            if (!unified && !parts[1].Split(',').Contains("memory")) continue;

            // A limit of any ancestor binds; inside a container the path may start above the mount, then only the root exists.
            for (string? path = parts[2]; path is not null; path = path is "/" or "" ? null : Path.GetDirectoryName(path))
            {
                string folder = (unified ? UnifiedRoot : LegacyRoot) + path.TrimEnd('/');
                if (ReadNumber(folder + (unified ? "/memory.max" : "/memory.limit_in_bytes")) is not { } max) continue;
                long used = ReadNumber(folder + (unified ? "/memory.current" : "/memory.usage_in_bytes")) ?? 0;

                // Page cache counts as used but is given back under pressure.
                yield return new Limit(max, used - (ReadField(folder + "/memory.stat", "inactive_file ") ?? 0));
            }
        }
    }

    private static long? MachineBytes(string field) => ReadField("/proc/meminfo", field) * 1024;

    private static long? ReadNumber(string path) =>
        ReadLines(path) is [var line, ..] && long.TryParse(line, CultureInfo.InvariantCulture, out long value) ? value : null;

    private static long? ReadField(string path, string field)
    {
        foreach (string line in ReadLines(path))
        {
            if (!line.StartsWith(field, StringComparison.Ordinal)) continue;
            string digits = line[field.Length..].Trim();
            int end = digits.IndexOf(' ', StringComparison.Ordinal);
            return long.TryParse(end < 0 ? digits : digits[..end], CultureInfo.InvariantCulture, out long value) ? value : null;
        }

        return null;
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private readonly record struct Limit(long MaxBytes, long UsedBytes);
}
