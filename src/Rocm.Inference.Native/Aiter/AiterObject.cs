namespace Rocm.Inference.Native.Aiter;

/// <summary>The kernel of a row.</summary>
/// <param name="Symbol">Its name in the code object.</param>
/// <param name="File">The code object, below the family's folder.</param>
/// <param name="Line">The row's line in the manifest, from 1.</param>
internal sealed record AiterObject(string Symbol, string File, int Line);
