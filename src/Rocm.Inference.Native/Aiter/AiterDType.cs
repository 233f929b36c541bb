namespace Rocm.Inference.Native.Aiter;

/// <summary>Element types of queries and caches as AITER's manifests name them.</summary>
internal enum AiterDType
{
    Bf16,
    Fp16,

    /// <summary>E4M3: FNUZ on gfx942, OCP on gfx950.</summary>
    Fp8,
    Int8,

    /// <summary>Rows of mixed content, 656 bytes a token, that one persistent MLA kernel reads.</summary>
    Byte,
}
