using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>The kernels that prefill latent attention.</summary>
internal enum MlaPrefillKernel
{
    /// <summary><see cref="IAttentionKernels.FlashVarlen"/>.</summary>
    FlashVarlen,

    /// <summary><see cref="IAttentionKernels.FlashVarlenPacked"/>.</summary>
    FlashVarlenPacked,

    /// <summary><see cref="IAttentionKernels.FlashVarlen"/> of <see cref="IDevice.AiterAttentionKernels"/>.</summary>
    AiterFlashVarlen,
}

/// <summary>The kernels that decode latent attention.</summary>
internal enum MlaDecodeKernel
{
    /// <summary><see cref="IAttentionKernels.MlaDecode"/> with <see cref="KvSplit.Fixed"/>.</summary>
    FixedSplit,

    /// <summary><see cref="IAttentionKernels.MlaDecode"/> of <see cref="IDevice.AiterAttentionKernels"/> with <see cref="KvSplit.Occupancy"/>.</summary>
    AiterOccupancySplit,
}
