namespace Rocm.Inference.Native.Aiter;

/// <summary>How a kernel wants its arguments: each in a slot of 16 bytes.</summary>
internal enum AiterArgumentLayout
{
    /// <summary>Section 3.1 up to the cache strides.</summary>
    Paged,

    /// <summary>The same and heads per KV head at f0.</summary>
    PagedWithGqa,

    /// <summary>The same and query offsets at 100.</summary>
    PagedWithQueryOffsets,

    /// <summary>Up to AITER 0.1.16: heads per KV head at e0.</summary>
    LegacyPagedWithGqa,

    /// <summary>Up to AITER 0.1.16: the same and query offsets at f0.</summary>
    LegacyPagedWithQueryOffsets,

    /// <summary>Section 4.</summary>
    PersistentPaged,

    /// <summary>Section 4 with strides of the scales.</summary>
    PersistentPagedWithScaleStrides,

    /// <summary>Section 5.1, decode and prefill; objects read as many of the slots as they know.</summary>
    Mla,

    /// <summary>Section 7.1 up to 1f0.</summary>
    Flash,

    /// <summary>The same with scales of fp8 inputs.</summary>
    FlashWithDescale,

    /// <summary>Section 8.3.</summary>
    ScaledGemm,

    /// <summary>Section 8.2.</summary>
    FusedExperts,
}
