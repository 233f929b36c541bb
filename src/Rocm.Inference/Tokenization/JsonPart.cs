using System.Text.Json;

namespace Rocm.Inference.Tokenization;

/// <summary>One element of a JSON file with the place it stands at, so that every refusal can name file, path, expected and found.</summary>
internal readonly struct JsonPart(JsonElement element, string file, string path)
{
    private const int ShownCharacters = 80;

    public JsonElement Element { get; } = element;

    public string File { get; } = file;

    public string Path { get; } = path;

    public bool IsNull => Element.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    public ModelLoadException Refuse(string what, string? expected = null, string? found = null) =>
        new(what, File, Path, expected, found ?? Show());

    /// <summary>The member, or a part that <see cref="IsNull"/> when the object lacks it.</summary>
    public JsonPart Get(string name)
    {
        Expect(JsonValueKind.Object, "an object");
        Element.TryGetProperty(name, out var value);
        return new JsonPart(value, File, Path.Length == 0 ? name : $"{Path}.{name}");
    }

    public JsonPart Require(string name)
    {
        var part = Get(name);
        if (part.Element.ValueKind == JsonValueKind.Undefined) throw part.Refuse("A field is missing.", "a value", "nothing");
        return part;
    }

    /// <summary>Refuses an object that has a member besides these: it would ask for something that is not done.</summary>
    public void AllowOnly(params ReadOnlySpan<string> names)
    {
        Expect(JsonValueKind.Object, "an object");
        foreach (var member in Element.EnumerateObject())
        {
            var name = NameOf(member);
            if (!names.Contains(name)) throw Refuse("A field is not known.", string.Join(", ", names.ToArray()), name);
        }
    }

    public List<JsonPart> Items()
    {
        Expect(JsonValueKind.Array, "an array");
        var items = new List<JsonPart>(Element.GetArrayLength());
        foreach (var item in Element.EnumerateArray()) items.Add(new JsonPart(item, File, $"{Path}[{items.Count}]"));
        return items;
    }

    /// <summary>A member of an object whose names are data (tokens): its path shows the name.</summary>
    public JsonPart Member(JsonProperty member) => new(member.Value, File, $"{Path}[\"{NameOf(member)}\"]");

    public string NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException e)
        {
            throw NotUnicode(e);
        }
    }

    public JsonPart Item(JsonElement item, int index) => new(item, File, $"{Path}[{index}]");

    public string Text()
    {
        Expect(JsonValueKind.String, "a string");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw NotUnicode(e);
        }
    }

    public bool Flag() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Refuse("A field has the wrong type.", "true or false"),
    };

    public bool Flag(string name, bool fallback)
    {
        var part = Get(name);
        return part.IsNull ? fallback : part.Flag();
    }

    public int Integer(int least, int most)
    {
        if (Element.ValueKind != JsonValueKind.Number || !Element.TryGetInt32(out var value) || value < least || value > most)
        {
            throw Refuse("A number is out of range.", $"an integer from {least} to {most}");
        }
        return value;
    }

    public void Expect(JsonValueKind kind, string expected)
    {
        if (Element.ValueKind != kind) throw Refuse("A field has the wrong type.", expected);
    }

    // Escaped lone surrogates and bytes that are no UTF-8 pass the parser and fail when a string is made of them.
    private ModelLoadException NotUnicode(InvalidOperationException e) =>
        new("A string is not valid Unicode.", File, Path, "valid Unicode", null, e);

    private string Show()
    {
        if (Element.ValueKind == JsonValueKind.Undefined) return "nothing";
        if (Element.ValueKind is JsonValueKind.Object) return "an object";
        if (Element.ValueKind is JsonValueKind.Array) return "an array";
        var raw = Element.GetRawText();
        return raw.Length <= ShownCharacters ? raw : raw[..ShownCharacters] + "...";
    }
}
