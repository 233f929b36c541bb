namespace Rocm.Inference;

/// <summary>Which matrix products of a GPU AMD's hipBLASLt may compute, where it is installed: only those of at least 256 rows by bf16 weights come into question.</summary>
public enum HipBlasLtUse
{
    /// <summary>
    /// Those of shapes at which it was faster than this library's kernel: both are timed when a session multiplies that shape for the first time. Sums of both
    /// round apart in the last bit, so that sessions in which the times are close may differ by it.
    /// </summary>
    WhenFaster,

    /// <summary>None: results do not depend on what is installed, nor on times.</summary>
    Never,

    /// <summary>All that it has a kernel for.</summary>
    Always,
}
