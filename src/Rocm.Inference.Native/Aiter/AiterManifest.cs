using System.Collections.Immutable;
using System.Text;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// One of AITER's tables of kernels: a comma-separated header and rows, UTF-8 with or without a mark, comments from //, #, " ;" or between /* and */.
/// A malformed table is refused as a whole; what a row means is for the family to say.
/// </summary>
internal sealed class AiterManifest
{
    internal const int MaxBytes = 1 << 20;
    internal const int MaxRows = 4096;
    internal const int MaxColumns = 32;
    internal const int MaxCellLength = 256;

    private const string SymbolColumn = "knl_name";
    private const string FileColumn = "co_name";
    private static readonly UTF8Encoding _strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private AiterManifest(ImmutableArray<string> columns, ImmutableArray<AiterManifestRow> rows) => (Columns, Rows) = (columns, rows);

    internal ImmutableArray<string> Columns { get; }

    internal ImmutableArray<AiterManifestRow> Rows { get; }

    /// <summary>Reads a manifest.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="error">Why not.</param>
    /// <returns>Null with an error.</returns>
    internal static AiterManifest? Parse(ReadOnlySpan<byte> bytes, out AiterManifestError? error)
    {
        error = null;
        if (bytes.Length > MaxBytes) return Fail(AiterManifestFault.TooLarge, 0, $"a manifest of at most {MaxBytes} bytes is expected, not {bytes.Length}", out error);
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf])) bytes = bytes[3..];
        string text;
        try
        {
            text = _strictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return Fail(AiterManifestFault.NotText, 0, "the manifest is not UTF-8 text", out error);
        }

        return ParseLines(text, out error);
    }

    private static AiterManifest? ParseLines(string text, out AiterManifestError? error)
    {
        ImmutableArray<string> columns = [];
        var rows = ImmutableArray.CreateBuilder<AiterManifestRow>();
        bool inComment = false;
        int number = 0;
        foreach (ReadOnlySpan<char> raw in text.AsSpan().EnumerateLines())
        {
            number++;
            string line = StripComments(raw, ref inComment).Trim();
            if (line.Length == 0) continue;
            if (line.AsSpan().ContainsAnyInRange('\0', '\b')) return Fail(AiterManifestFault.NotText, number, "a line has control characters", out error);
            ImmutableArray<string> cells = [.. line.Split(',', MaxColumns + 1).Select(cell => cell.Trim())];
            if (cells.Length > MaxColumns || cells.Any(cell => cell.Length > MaxCellLength))
                return Fail(AiterManifestFault.TooLarge, number, $"at most {MaxColumns} cells of {MaxCellLength} characters are expected", out error);
            if (columns.IsEmpty)
            {
                error = CheckHeader(cells, number);
                if (error is not null) return null;
                columns = cells;
                continue;
            }

            if (cells.Length != columns.Length)
                return Fail(AiterManifestFault.BadRow, number, $"{columns.Length} cells are expected, {cells.Length} were found", out error);
            if (rows.Count == MaxRows) return Fail(AiterManifestFault.TooLarge, number, $"at most {MaxRows} rows are expected", out error);
            string symbol = cells[columns.IndexOf(SymbolColumn)], file = cells[columns.IndexOf(FileColumn)];
            if (!IsSymbol(symbol)) return Fail(AiterManifestFault.BadName, number, "the name of the kernel is no symbol", out error);
            if (!IsRelativeFile(file)) return Fail(AiterManifestFault.BadName, number, "the name of the code object is no file below its folder", out error);
            rows.Add(new AiterManifestRow(columns, cells, new AiterObject(symbol, file, number)));
        }

        if (inComment) return Fail(AiterManifestFault.BadRow, number, "a comment that was opened with /* has no end", out error);
        if (columns.IsEmpty) return Fail(AiterManifestFault.BadHeader, 0, "there is no header line", out error);
        error = null;
        return new AiterManifest(columns, rows.ToImmutable());
    }

    private static AiterManifestError? CheckHeader(ImmutableArray<string> columns, int line)
    {
        if (!columns.Contains(SymbolColumn) || !columns.Contains(FileColumn))
            return new(AiterManifestFault.BadHeader, line, $"the header must have the columns {SymbolColumn} and {FileColumn}");
        return columns.Distinct(StringComparer.Ordinal).Count() == columns.Length && !columns.Contains("")
            ? null
            : new(AiterManifestFault.BadHeader, line, "the header has a column twice, or one without a name");
    }

    private static string StripComments(ReadOnlySpan<char> line, ref bool inComment)
    {
        var kept = new StringBuilder(line.Length);
        while (!line.IsEmpty)
        {
            if (inComment)
            {
                int end = line.IndexOf("*/", StringComparison.Ordinal);
                if (end < 0) break;
                line = line[(end + 2)..];
                inComment = false;
                continue;
            }

            int open = line.IndexOf("/*", StringComparison.Ordinal), cut = line.Length;
            foreach (string mark in (ReadOnlySpan<string>)["//", "#", " ;"])
                if (line.IndexOf(mark, StringComparison.Ordinal) is >= 0 and int at) cut = Math.Min(cut, at);
            if (open < 0 || open > cut)
            {
                kept.Append(line[..cut]);
                break;
            }

            kept.Append(line[..open]);
            line = line[(open + 2)..];
            inComment = true;
        }

        return kept.ToString();
    }

    private static bool IsSymbol(string name) => name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '$');

    // The name comes from outside: it must not lead out of its folder.
    private static bool IsRelativeFile(string name) =>
        name.EndsWith(".co", StringComparison.Ordinal) && name[0] is not ('/' or '.') &&
        name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/') && !name.Contains("..", StringComparison.Ordinal);

    private static AiterManifest? Fail(AiterManifestFault fault, int line, string text, out AiterManifestError? error)
    {
        error = new AiterManifestError(fault, line, text);
        return null;
    }
}
