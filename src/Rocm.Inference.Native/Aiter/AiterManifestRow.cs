using System.Collections.Immutable;
using System.Globalization;

namespace Rocm.Inference.Native.Aiter;

/// <summary>A row of a manifest.</summary>
internal sealed class AiterManifestRow(ImmutableArray<string> columns, ImmutableArray<string> cells, AiterObject kernel)
{
    internal AiterObject Object => kernel;

    /// <summary>The cell of a column, or the empty text where the manifest has no such column.</summary>
    internal string Text(string column) => columns.IndexOf(column) is >= 0 and int at ? cells[at] : "";

    /// <summary>The number in a column; 0 where the manifest has no such column.</summary>
    internal bool TryNumber(string column, out int value)
    {
        value = 0;
        return columns.IndexOf(column) is not (>= 0 and int at) || int.TryParse(cells[at], NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>
    /// A column that this library does not know and that is not zero or empty in this row: it asks for something that would not be given.
    /// </summary>
    /// <returns>Null when there is none.</returns>
    internal string? UnknownDemand(ReadOnlySpan<string> known)
    {
        for (int i = 0; i < columns.Length; i++)
            if (columns[i] is not ("knl_name" or "co_name") && !known.Contains(columns[i]) && cells[i] is not ("" or "0"))
                return $"{columns[i]} = {cells[i]}";
        return null;
    }
}
