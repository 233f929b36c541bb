using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>The kernels that prefill latent attention.</summary>
internal enum MlaPrefillKernel
{
    /// <summary><see cref="IAttentionKernels.FlashVarlen"/>.</summary>
    FlashVarlen,

    /// <summary><see cref="IAttentionKernels.FlashVarlenPacked"/>.</summary>
    FlashVarlenPacked,
}

/// <summary>The kernels that decode latent attention.</summary>
internal enum MlaDecodeKernel
{
    /// <summary><see cref="IAttentionKernels.MlaDecode"/> with <see cref="KvSplit.Fixed"/>.</summary>
    FixedSplit,

    /// <summary><see cref="IAttentionKernels.MlaDecode"/> with <see cref="KvSplit.Occupancy"/>.</summary>
    OccupancySplit,
}
