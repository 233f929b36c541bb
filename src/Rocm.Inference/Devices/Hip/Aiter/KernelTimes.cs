using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Whose kernel a step takes.</summary>
internal enum KernelChoice
{
    /// <summary>This library's.</summary>
    Own,

    /// <summary>AITER's.</summary>
    Aiter,

    /// <summary>AITER's persistent one.</summary>
    Persistent,
}

/// <summary>How long AITER's kernels and this library's take for the same step.</summary>
/// <param name="Rows">Rows of the step.</param>
/// <param name="Length">Tokens of every row's context.</param>
/// <param name="Aiter">Microseconds of AITER's.</param>
/// <param name="Own">Microseconds of this library's.</param>
/// <param name="Persistent">Microseconds of AITER's persistent kernel; null: there is none.</param>
internal readonly record struct KernelTime(int Rows, int Length, double Aiter, double Own, double? Persistent = null)
{
    /// <summary>The fastest; of equals AITER's, and the one that is not persistent.</summary>
    public KernelChoice Best => Persistent < Math.Min(Aiter, Own) ? KernelChoice.Persistent : Aiter <= Own ? KernelChoice.Aiter : KernelChoice.Own;
}

/// <summary>Times of one primitive at one shape of heads, for a grid of rows and lengths. As text: a line for each, rows, length and the times that there are.</summary>
internal sealed class KernelTimes
{
    private readonly ImmutableArray<KernelTime> _times;

    /// <param name="times">At least one.</param>
    internal KernelTimes(IEnumerable<KernelTime> times) => _times = [.. times.OrderBy(time => time.Rows).ThenBy(time => time.Length)];

    internal ImmutableArray<KernelTime> All => _times;

    /// <summary>
    /// The fastest kernel for the step that stands for another: of the fewest rows that are as many, else of the most, and of those of the shortest
    /// length that is as long, else of the longest. Allocates nothing.
    /// </summary>
    internal KernelChoice Best(int rows, int length)
    {
        int at = _times[^1].Rows;
        for (int i = _times.Length - 1; i >= 0 && _times[i].Rows >= rows; i--) at = _times[i].Rows;
        KernelTime found = default;
        foreach (KernelTime time in _times)
        {
            if (time.Rows != at) continue;
            found = time;
            if (time.Length >= length) break;
        }

        return found.Best;
    }

    /// <summary>The table as it is kept.</summary>
    internal byte[] ToBytes()
    {
        var text = new StringBuilder();
        foreach (KernelTime time in _times)
        {
            text.Append(CultureInfo.InvariantCulture, $"{time.Rows} {time.Length} {time.Aiter:R} {time.Own:R}");
            if (time.Persistent is { } persistent) text.Append(CultureInfo.InvariantCulture, $" {persistent:R}");
            text.Append('\n');
        }


        return Encoding.ASCII.GetBytes(text.ToString());
    }

    /// <summary>Reads a table.</summary>
    /// <returns>Null when it is none.</returns>
    internal static KernelTimes? Read(ReadOnlySpan<byte> bytes)
    {
        var times = new List<KernelTime>();
        foreach (string line in Encoding.ASCII.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] cells = line.Split(' ');
            double persistent = 0;
            if (cells.Length is not (4 or 5) || !Number(cells[0], out int rows) || !Number(cells[1], out int length) || !Time(cells[2], out double aiter)
                || !Time(cells[3], out double own) || (cells.Length == 5 && !Time(cells[4], out persistent)))
                return null;
            times.Add(new KernelTime(rows, length, aiter, own, cells.Length == 5 ? persistent : null));
        }

        return times.Count == 0 ? null : new KernelTimes(times);
    }

    private static bool Number(string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value > 0;

    private static bool Time(string text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value) && value >= 0;
}
