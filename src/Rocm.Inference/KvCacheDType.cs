namespace Rocm.Inference;

/// <summary>
/// Element type of the KV cache. The 8-bit types halve the memory of a cache and cost accuracy, so that they are used only when asked for. Keys and
/// values are stored divided by the scales that the checkpoint has for them (k_scale, v_scale); without scales, as they are.
/// </summary>
public enum KvCacheDType
{
    /// <summary>On the CPU the type of the model's weights if it has 16 bits, else <see cref="BF16"/>; on a GPU <see cref="BF16"/>.</summary>
    Auto,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary>16-bit IEEE float. CPU only.</summary>
    F16,

    /// <summary>32-bit IEEE float. CPU only.</summary>
    F32,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, up to 448 (OCP).</summary>
    F8E4M3Fn,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, up to 240 (the form of gfx94x). Scales of the checkpoint are doubled.</summary>
    F8E4M3Fnuz,

    /// <summary>8-bit float, 5 exponent and 2 mantissa bits, up to 57344 (OCP).</summary>
    F8E5M2,
}
