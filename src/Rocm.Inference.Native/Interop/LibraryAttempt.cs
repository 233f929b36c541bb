namespace Rocm.Inference.Native.Interop;

/// <summary>One place where a library was looked for.</summary>
/// <param name="Path">The file, the folder that is not there, or the bare name given to the system's loader.</param>
/// <param name="Origin">Why it was looked for there: an option, a variable, a default.</param>
/// <param name="Message">What came of it: <see cref="LoadedMessage"/>, the loader's own words, or the defect found before asking the loader.</param>
internal sealed record LibraryAttempt(string Path, string Origin, string Message)
{
    internal const string LoadedMessage = "loaded";

    public override string ToString() => $"{Path} ({Origin}): {Message}";
}
