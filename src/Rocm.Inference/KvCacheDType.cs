namespace Rocm.Inference;

/// <summary>Element type of the KV cache.</summary>
public enum KvCacheDType
{
    /// <summary>The type of the model's weights if it has 16 bits, else <see cref="BF16"/>.</summary>
    Auto,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary>16-bit IEEE float.</summary>
    F16,

    /// <summary>32-bit IEEE float.</summary>
    F32,
}
