namespace Rocm.Inference.Native.Aiter;

/// <summary>Takes the typed cells of a row and remembers the first that is none.</summary>
internal ref struct AiterRowReader(AiterManifestRow row)
{
    /// <summary>What is wrong with the first bad cell, or null.</summary>
    internal string? Bad { get; private set; }

    /// <summary>The defect of a row that asks for more than this library knows; empty when there is none.</summary>
    internal static string Check(AiterManifestRow row, ReadOnlySpan<string> known) =>
        row.UnknownDemand(known) is { } demand ? $"it asks for {demand}, which this library does not know" : "";

    internal int Number(string column)
    {
        if (!row.TryNumber(column, out int value)) Bad ??= $"{column} is no number but '{row.Text(column)}'";
        return value;
    }

    internal AiterDType Type(string column)
    {
        switch (row.Text(column))
        {
            case "bf16": return AiterDType.Bf16;
            case "fp16": return AiterDType.Fp16;
            case "fp8": return AiterDType.Fp8;
            case "int8": return AiterDType.Int8;
            case "byte": return AiterDType.Byte;
            default:
                Bad ??= $"{column} is no known type but '{row.Text(column)}'";
                return default;
        }
    }
}
