namespace Rocm.Inference.Devices;

/// <summary>Activation of a gated MLP: y = act(gate) · up.</summary>
internal enum ActivationKind
{
    /// <summary>x · sigmoid(x).</summary>
    Silu,

    /// <summary>GELU, tanh approximation (Hugging Face "gelu_pytorch_tanh").</summary>
    GeluTanh,

    /// <summary>GELU with erf.</summary>
    Gelu,
}

/// <summary>
/// Ops of a model besides attention and sampling. T is the number of tokens of the step. Activations are
/// <see cref="IDevice.ActivationDType"/>; outer dimensions may be strided, the innermost is contiguous. A row's arithmetic does not
/// depend on T or on the other rows: the same row gives the same bits in any batch.
/// </summary>
internal interface IKernels
{
    /// <summary>y[t, :] = table[ids[t], :] · scale.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="ids">[T] i32 in [0, rows of the table).</param>
    /// <param name="table">[vocabulary, hidden], packed like a linear weight so that a tied LM head is the same copy.</param>
    /// <param name="scale">1, or Gemma's sqrt(hidden).</param>
    /// <param name="y">[T, hidden].</param>
    void Embedding(DeviceContext context, TensorView ids, PackedWeight table, float scale, TensorView y);

    /// <summary>y = x · Wᵀ + bias, or y += x · Wᵀ + bias when <paramref name="accumulate"/>. x [T, K], W [N, K], y [T, N].</summary>
    void Linear(DeviceContext context, TensorView x, PackedWeight weight, TensorView y, bool accumulate = false);

    /// <summary>
    /// y = x / sqrt(mean(x²) + eps) · (offset + weight), over the innermost dimension. x and y [T, D] or [T, H, D] (may be the same memory).
    /// </summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="x">Input.</param>
    /// <param name="weight">[D] f32.</param>
    /// <param name="eps">Added to the mean square.</param>
    /// <param name="offset">0, or 1 for Gemma, whose checkpoints store weight − 1.</param>
    /// <param name="y">Output.</param>
    void RmsNorm(DeviceContext context, TensorView x, TensorView weight, float eps, float offset, TensorView y);

    /// <summary>residual += x; y = RmsNorm(residual). All [T, D]. x may be y.</summary>
    void AddRmsNorm(DeviceContext context, TensorView residual, TensorView x, TensorView weight, float eps, float offset, TensorView y);

    /// <summary>y += x. [T, D].</summary>
    void Add(DeviceContext context, TensorView x, TensorView y);

    /// <summary>y = act(gateUp[:, :F]) · gateUp[:, F:]. gateUp [T, 2F], y [T, F].</summary>
    void GatedActivation(DeviceContext context, TensorView gateUp, ActivationKind kind, TensorView y);

    /// <summary>x = cap · tanh(x / cap), in place. [R, V].</summary>
    void SoftCap(DeviceContext context, TensorView x, float cap);

    /// <summary>x = x · scale, in place. [R, V].</summary>
    void Scale(DeviceContext context, TensorView x, float scale);

    /// <summary>y[r, :] = x[rows[r], :]. rows [R] i32, y [R, D].</summary>
    void GatherRows(DeviceContext context, TensorView x, TensorView rows, TensorView y);
}
