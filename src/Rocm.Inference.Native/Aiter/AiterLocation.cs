using System.Collections.Immutable;

namespace Rocm.Inference.Native.Aiter;

/// <summary>The end of a search for AITER.</summary>
/// <param name="Installation">What was found, or null.</param>
/// <param name="Attempts">What was looked at on the way, in order.</param>
internal sealed record AiterLocation(AiterInstallation? Installation, ImmutableArray<AiterAttempt> Attempts)
{
    /// <summary>One sentence: where AITER is, or where it was looked for in vain.</summary>
    public override string ToString()
    {
        if (Installation is not null) return Installation.ToString();
        // Most Python folders have nothing to do with AITER: only those that seemed to are worth a reader's time.
        AiterAttempt[] telling = [.. Attempts.Where(attempt => attempt.Origin != "Python folder" || attempt.IsPartial)];
        string looked = telling.Length == 0
            ? $"Looked into {Attempts.Length} Python folders; {AiterSearch.PathVariable} names a checkout or a site-packages folder."
            : string.Join("; ", (object[])telling) + ".";
        return $"AITER was not found. {looked}";
    }
}

/// <summary>A folder that was looked into.</summary>
/// <param name="Folder">The folder.</param>
/// <param name="Origin">Why it was looked into.</param>
/// <param name="Finding">What was found, as the end of a sentence whose subject is the folder.</param>
/// <param name="IsPartial">Something of AITER is there, but no code objects.</param>
internal sealed record AiterAttempt(string Folder, string Origin, string Finding, bool IsPartial)
{
    public override string ToString() => $"{Folder} ({Origin}) {Finding}";
}
