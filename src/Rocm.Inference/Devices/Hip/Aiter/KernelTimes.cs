using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>How long AITER's kernel and this library's take for the same step.</summary>
/// <param name="Rows">Rows of the step.</param>
/// <param name="Length">Tokens of every row's context.</param>
/// <param name="Aiter">Microseconds of AITER's.</param>
/// <param name="Own">Microseconds of this library's.</param>
internal readonly record struct KernelTime(int Rows, int Length, double Aiter, double Own);

/// <summary>Times of one primitive at one shape of heads, for a grid of rows and lengths. As text: a line for each, rows, length and both times.</summary>
internal sealed class KernelTimes
{
    private readonly ImmutableArray<KernelTime> _times;

    /// <param name="times">At least one.</param>
    internal KernelTimes(IEnumerable<KernelTime> times) => _times = [.. times.OrderBy(time => time.Rows).ThenBy(time => time.Length)];

    internal ImmutableArray<KernelTime> All => _times;

    /// <summary>
    /// AITER's kernel was no slower for the step that stands for another: of the fewest rows that are as many, else of the most, and of those of the shortest
    /// length that is as long, else of the longest. Allocates nothing.
    /// </summary>
    internal bool PrefersAiter(int rows, int length)
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

        return found.Aiter <= found.Own;
    }

    /// <summary>The table as it is kept.</summary>
    internal byte[] ToBytes()
    {
        var text = new StringBuilder();
        foreach (KernelTime time in _times) text.Append(CultureInfo.InvariantCulture, $"{time.Rows} {time.Length} {time.Aiter:R} {time.Own:R}\n");
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
            if (cells.Length != 4 || !Number(cells[0], out int rows) || !Number(cells[1], out int length) || !Time(cells[2], out double aiter) || !Time(cells[3], out double own))
                return null;
            times.Add(new KernelTime(rows, length, aiter, own));
        }

        return times.Count == 0 ? null : new KernelTimes(times);
    }

    private static bool Number(string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value > 0;

    private static bool Time(string text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value) && value >= 0;
}
