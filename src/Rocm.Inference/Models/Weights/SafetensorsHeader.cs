using System.Text.Json;

namespace Rocm.Inference.Models.Weights;

/// <summary>
/// Reads the JSON header of a safetensors file and proves that it describes the data: known element types, sizes that match, ranges that
/// cover the data exactly once. What comes out can be addressed without further checks.
/// </summary>
internal ref struct SafetensorsHeader
{
    private const int MaxRank = 8;
    private readonly string _file;
    private readonly long _dataStart;
    private readonly long _dataBytes;
    private Utf8JsonReader _reader;

    private SafetensorsHeader(ReadOnlySpan<byte> json, string file, long dataStart, long dataBytes)
    {
        _file = file;
        _dataStart = dataStart;
        _dataBytes = dataBytes;
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
    }

    /// <summary>Parses and checks a header.</summary>
    /// <param name="json">The header's bytes.</param>
    /// <param name="file">Path for messages.</param>
    /// <param name="dataStart">Offset of the data in the file: 8 + header length.</param>
    /// <param name="dataBytes">Bytes of the file after the header.</param>
    /// <exception cref="ModelLoadException">The header is not what the format demands.</exception>
    public static Dictionary<string, TensorInfo> Parse(ReadOnlySpan<byte> json, string file, long dataStart, long dataBytes)
    {
        try
        {
            return new SafetensorsHeader(json, file, dataStart, dataBytes).ReadAll();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: the reader's way to say that a string is not valid UTF-8.
            throw new ModelLoadException("The header is not valid JSON.", file, expected: "a JSON object of tensors", found: e.Message, innerException: e);
        }
    }

    private Dictionary<string, TensorInfo> ReadAll()
    {
        var tensors = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        bool hasMetadata = false;
        _reader.Read();
        Expect(JsonTokenType.StartObject, "header");
        while (NextName(out string name))
        {
            if (name == "__metadata__")
            {
                if (hasMetadata) throw Duplicate(name);
                hasMetadata = true;
                ReadMetadata();
                continue;
            }

            if (!tensors.TryAdd(name, ReadTensor(name))) throw Duplicate(name);
        }

        if (_reader.Read()) throw Bad("Something follows the header's JSON object.", "header", "the end of the header", _reader.TokenType.ToString());
        CheckCoverage(tensors.Values);
        return tensors;
    }

    private void ReadMetadata()
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        _reader.Read();
        Expect(JsonTokenType.StartObject, "__metadata__");
        while (NextName(out string key))
        {
            if (!keys.Add(key)) throw Duplicate("__metadata__." + key);
            _reader.Read();
            Expect(JsonTokenType.String, "__metadata__." + key);
        }
    }

    private TensorInfo ReadTensor(string name)
    {
        string? dtype = null;
        long[]? shape = null;
        long[]? offsets = null;
        _reader.Read();
        Expect(JsonTokenType.StartObject, name);
        while (NextName(out string field))
        {
            _reader.Read();
            switch (field)
            {
                case "dtype" when dtype is null:
                    Expect(JsonTokenType.String, name + ".dtype");
                    dtype = _reader.GetString()!;
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(name + ".shape", MaxRank);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadIntegers(name + ".data_offsets", 2);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw Duplicate(name + "." + field);
                default:
                    throw Bad("A tensor has an unknown field.", name, "dtype, shape, data_offsets", field);
            }
        }

        if (dtype is null || shape is null || offsets is null)
            throw Bad("A tensor's description is incomplete.", name, "dtype, shape, data_offsets", "only some of them");
        return Check(name, dtype, shape, offsets);
    }

    private readonly TensorInfo Check(string name, string dtypeName, long[] shape, long[] offsets)
    {
        if (!TryGetDType(dtypeName, out DType? dtype, out int elementBytes))
            throw Bad("Unknown element type.", name, "F32, F16, BF16 or another type of the safetensors format", dtypeName);
        if (offsets.Length != 2 || offsets[0] > offsets[1] || offsets[1] > _dataBytes)
            throw Bad("A tensor lies outside the file.", name, $"offsets 0 ≤ begin ≤ end ≤ {_dataBytes}", $"[{string.Join(", ", offsets)}]");
        long bytes = elementBytes;
        foreach (long dim in shape)
        {
            if (dim != 0 && bytes > long.MaxValue / dim)
                throw Bad("A tensor's size overflows.", name, "at most 2^63 bytes", TensorInfo.ShapeText(shape));
            bytes *= dim;
        }

        long span = offsets[1] - offsets[0];
        if (bytes != span) throw Bad("A tensor's shape and its bytes do not match.", name, $"{bytes} bytes for {dtypeName} {TensorInfo.ShapeText(shape)}", $"{span} bytes");
        return new TensorInfo(name, dtypeName, dtype, shape, _dataStart + offsets[0], bytes);
    }

    private readonly void CheckCoverage(IEnumerable<TensorInfo> tensors)
    {
        // Empty tensors sort before the one that starts at the same place.
        TensorInfo[] sorted = [.. tensors.OrderBy(t => t.Offset).ThenBy(t => t.ByteCount)];
        long end = _dataStart;
        foreach (TensorInfo tensor in sorted)
        {
            if (tensor.Offset < end) throw Bad("Tensors overlap.", tensor.Name, $"a begin of at least {end - _dataStart}", $"{tensor.Offset - _dataStart}");
            if (tensor.Offset > end) throw Bad("There is a hole before a tensor.", tensor.Name, $"begin {end - _dataStart}", $"{tensor.Offset - _dataStart}");
            end = tensor.Offset + tensor.ByteCount;
        }

        if (end - _dataStart != _dataBytes)
            throw Bad("The file has bytes that belong to no tensor.", "header", $"{end - _dataStart} bytes of data", $"{_dataBytes} bytes");
    }

    private long[] ReadIntegers(string field, int max)
    {
        Expect(JsonTokenType.StartArray, field);
        var values = new List<long>(2);
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            Expect(JsonTokenType.Number, field);
            if (values.Count == max) throw Bad("A list is too long.", field, $"at most {max} numbers", "more");
            if (!_reader.TryGetInt64(out long value) || value < 0) throw Bad("A number is out of range.", field, "an integer of at least 0", "another number");
            values.Add(value);
        }

        return [.. values];
    }

    private bool NextName(out string name)
    {
        _reader.Read();
        if (_reader.TokenType == JsonTokenType.EndObject)
        {
            name = string.Empty;
            return false;
        }

        name = _reader.GetString()!;
        return true;
    }

    private readonly void Expect(JsonTokenType type, string field)
    {
        if (_reader.TokenType != type) throw Bad("The header has a value of the wrong kind.", field, type.ToString(), _reader.TokenType.ToString());
    }

    private readonly ModelLoadException Duplicate(string field) => new("The header names a field twice.", _file, field);

    private readonly ModelLoadException Bad(string message, string field, string expected, string found) => new(message, _file, field, expected, found);

    private static bool TryGetDType(string name, out DType? dtype, out int bytes)
    {
        (dtype, bytes) = name switch
        {
            "F32" => (DType.F32, 4),
            "F16" => (DType.F16, 2),
            "BF16" => (DType.BF16, 2),
            "F8_E4M3" => (DType.F8E4M3Fn, 1),
            "F8_E4M3FNUZ" => (DType.F8E4M3Fnuz, 1),
            "F8_E5M2" => (DType.F8E5M2, 1),
            "I32" => (DType.I32, 4),
            "I64" => (DType.I64, 8),
            "U8" => (DType.U8, 1),
            "BOOL" or "I8" or "F8_E8M0" => ((DType?)null, 1),
            "I16" or "U16" => (null, 2),
            "U32" => (null, 4),
            "F64" or "U64" => (null, 8),
            _ => (null, 0),
        };
        return bytes != 0;
    }
}
