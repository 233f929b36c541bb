namespace Rocm.Inference.Native.Aiter;

/// <summary>What is wrong with a manifest.</summary>
internal enum AiterManifestFault
{
    /// <summary>Longer than any manifest, or with more rows, columns or characters in a cell.</summary>
    TooLarge,

    /// <summary>Not UTF-8, or with control characters.</summary>
    NotText,

    /// <summary>No header line, a column twice, or without the names of kernel and file.</summary>
    BadHeader,

    /// <summary>A row with more or fewer cells than the header.</summary>
    BadRow,

    /// <summary>A symbol or a file name with characters that neither has.</summary>
    BadName,
}

/// <summary>Why a manifest was refused as a whole.</summary>
/// <param name="Fault">The kind.</param>
/// <param name="Line">The line, from 1; 0 when it concerns the file.</param>
/// <param name="Text">What was expected and what was found.</param>
internal sealed record AiterManifestError(AiterManifestFault Fault, int Line, string Text)
{
    public override string ToString() => Line == 0 ? Text : $"line {Line}: {Text}";
}
