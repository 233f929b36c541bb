namespace Rocm.Inference.Native.Interop;

internal enum ElfVerdict
{
    /// <summary>A shared library of this machine whose parts lie inside the file.</summary>
    Sound,

    /// <summary>Something else; the loader would skip it or say so.</summary>
    NotElf,

    /// <summary>A library of another machine; the loader skips it.</summary>
    Foreign,

    /// <summary>Cut short or inconsistent: the loader must not be given it.</summary>
    Damaged,
}
