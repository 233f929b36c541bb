namespace Rocm.Inference.Native.Kernels;

/// <summary>One instance of a kernel source: what is compiled into one code object.</summary>
/// <param name="File">Path of the source below Kernels: "attention/paged_attention.hip".</param>
/// <param name="Macros">What selects the instance, in a fixed order: "T=BF16 DIM=128"; may be empty.</param>
internal readonly record struct KernelUnit(string File, string Macros)
{
    /// <summary>The macros as options of the compiler.</summary>
    internal IEnumerable<string> Options => Macros.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(macro => "-D" + macro);

    /// <summary>Name in an archive of precompiled code: "attention/paged_attention/T=BF16,DIM=128.co".</summary>
    internal string EntryName => $"{File[..^".hip".Length]}/{string.Join(',', Macros.Split(' ', StringSplitOptions.RemoveEmptyEntries))}.co";

    public override string ToString() => Macros.Length == 0 ? File : $"{File} ({Macros})";
}
