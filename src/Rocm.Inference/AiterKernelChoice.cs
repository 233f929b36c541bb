namespace Rocm.Inference;

/// <summary>How a session chooses between a kernel of AITER's that may run and this library's for the same work.</summary>
public enum AiterKernelChoice
{
    /// <summary>
    /// By the shape of a step and the size of the GPU, as AITER itself does: its paged decode, which does not split contexts, only for steps that fill the
    /// GPU without (rows times query heads above twice the compute units), its other kernels wherever they fit. Equal sessions on equal GPUs run equal kernels.
    /// </summary>
    ByShape,

    /// <summary>AITER's kernel wherever one fits.</summary>
    Always,

    /// <summary>
    /// By times that are measured on this GPU when a model's shapes are loaded for the first time, in some seconds, and kept beside the compiled kernels: later
    /// sessions with the same GPU, driver and kernels find them and choose the same. Within a session a step of given bounds always runs the same kernel. AITER's
    /// persistent latent decode, which AITER itself leaves to its callers to ask for, runs by times alone; its persistent paged decode always or by times.
    /// </summary>
    Measured,
}
