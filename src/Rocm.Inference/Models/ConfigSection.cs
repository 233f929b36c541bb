using System.Globalization;
using System.Text.Json;

namespace Rocm.Inference.Models;

/// <summary>
/// An object of a config file. Every read names its bounds; a value of the wrong kind or outside the bounds is refused with file,
/// field, expected and found. JSON null reads as absent.
/// </summary>
internal readonly struct ConfigSection
{
    private readonly JsonElement _element;
    private readonly string _prefix;

    public ConfigSection(JsonElement element, string file, string prefix)
    {
        _element = element;
        File = file;
        _prefix = prefix;
    }

    /// <summary>Path of the file, for messages.</summary>
    public string File { get; }

    /// <summary>The raw value, or null when absent or JSON null.</summary>
    public JsonElement? Element(string name) =>
        _element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>True when the key is there, even as JSON null.</summary>
    public bool Has(string name) => _element.TryGetProperty(name, out _);

    public int Int(string name, int min, int max, int? fallback = null) =>
        OptionalInt(name, min, max) ?? fallback ?? throw Missing(name, Range(min, max));

    public int? OptionalInt(string name, int min, int max)
    {
        if (Element(name) is not { } value) return null;
        return TryInt(value, out long number) && number >= min && number <= max ? (int)number : throw Bad(name, Range(min, max), value);
    }

    public double Number(string name, double min, double max, double? fallback = null) =>
        OptionalNumber(name, min, max) ?? fallback ?? throw Missing(name, Range(min, max));

    public double? OptionalNumber(string name, double min, double max)
    {
        if (Element(name) is not { } value) return null;
        return TryNumber(value, min, max, out double number) ? number : throw Bad(name, Range(min, max), value);
    }

    public bool Bool(string name, bool fallback) => Element(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } other => throw Bad(name, "true or false", other),
    };

    public string? OptionalString(string name)
    {
        if (Element(name) is not { } value) return null;
        return value.ValueKind == JsonValueKind.String ? Text(value, File, _prefix + name) : throw Bad(name, "a string", value);
    }

    public ConfigSection? OptionalSection(string name)
    {
        if (Element(name) is not { } value) return null;
        return value.ValueKind == JsonValueKind.Object ? new ConfigSection(value, File, _prefix + name + ".") : throw Bad(name, "an object", value);
    }

    /// <summary>A list of strings, or null.</summary>
    public IReadOnlyList<string>? OptionalStrings(string name, int maxCount)
    {
        if (Element(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > maxCount) throw Bad(name, $"a list of at most {maxCount} strings", value);
        var items = new List<string>();
        foreach (JsonElement item in value.EnumerateArray())
            items.Add(item.ValueKind == JsonValueKind.String ? Text(item, File, _prefix + name) : throw Bad(name, "a list of strings", item));
        return items;
    }

    /// <summary>A list of numbers, or null.</summary>
    public IReadOnlyList<double>? OptionalNumbers(string name, int maxCount, double min, double max)
    {
        if (Element(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > maxCount) throw Bad(name, $"a list of at most {maxCount} numbers", value);
        var items = new List<double>();
        foreach (JsonElement item in value.EnumerateArray())
            items.Add(TryNumber(item, min, max, out double number) ? number : throw Bad(name, $"numbers {Range(min, max)}", item));
        return items;
    }

    /// <summary>Token ids: one integer, or a list; empty when absent.</summary>
    public IReadOnlyList<int> TokenIds(string name)
    {
        const int maxCount = 1024;
        const string expected = "a token id or a list of token ids";
        if (Element(name) is not { } value) return [];
        if (value.ValueKind != JsonValueKind.Array) return [TokenId(this, value)];
        if (value.GetArrayLength() > maxCount) throw Bad(name, expected, value);
        var ids = new List<int>();
        foreach (JsonElement item in value.EnumerateArray()) ids.Add(TokenId(this, item));
        return ids;

        int TokenId(ConfigSection section, JsonElement item) =>
            TryInt(item, out long id) && id is >= 0 and <= ConfigLimits.VocabSize ? (int)id : throw section.Bad(name, expected, item);
    }

    /// <summary>An exception about a field of this section.</summary>
    public ModelLoadException Bad(string name, string expected, string found) =>
        new("A config value cannot be used.", File, _prefix + name, expected, found);

    /// <summary>The text of a JSON string; text that is not valid UTF-8 or UTF-16 is refused.</summary>
    public static string Text(JsonElement value, string file, string field)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new ModelLoadException("A string is not valid Unicode.", file, field, innerException: e);
        }
    }

    private ModelLoadException Bad(string name, string expected, JsonElement found)
    {
        const int maxShown = 40;
        string text = found.ValueKind is JsonValueKind.Object or JsonValueKind.Array ? found.ValueKind.ToString() : found.GetRawText();
        return Bad(name, expected, text.Length > maxShown ? text[..maxShown] + "…" : text);
    }

    private ModelLoadException Missing(string name, string expected) => Bad(name, expected, "nothing");

    // Python writes some integers as 32.0: an integral float is an integer.
    private static bool TryInt(JsonElement value, out long number)
    {
        number = 0;
        if (value.ValueKind != JsonValueKind.Number) return false;
        if (value.TryGetInt64(out number)) return true;
        if (!value.TryGetDouble(out double real) || Math.Abs(real) > 1e15 || Math.Floor(real) != real) return false;
        number = (long)real;
        return true;
    }

    private static bool TryNumber(JsonElement value, double min, double max, out double number)
    {
        number = 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out number) && double.IsFinite(number) && number >= min && number <= max;
    }

    private static string Range(double min, double max) => string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}");

    private static string Range(int min, int max) => string.Create(CultureInfo.InvariantCulture, $"an integer from {min} to {max}");
}
