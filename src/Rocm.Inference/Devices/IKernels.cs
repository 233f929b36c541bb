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

    /// <summary>gpt-oss: gate and up are clamped to the limit (gate from above only), y = gate · sigmoid(1.702 · gate) · (up + 1).</summary>
    ClampedSwiGlu,
}

/// <summary>
/// Ops of a model besides attention and sampling. T is the number of tokens of the step. Activations are
/// <see cref="IDevice.ActivationDType"/>; outer dimensions may be strided, the innermost is contiguous. A row's arithmetic does not
/// depend on T or on the other rows: the same row gives the same bits in any batch. <see cref="IFusedExperts"/>, which may stand for some of these ops, does not
/// promise that.
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

    /// <summary>
    /// y = x · Wᵀ + bias, or y += x · Wᵀ + bias when <paramref name="accumulate"/>. x [T, K], W [N, K], y [T, N]: activations, or f32 for logits.
    /// </summary>
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
    /// <param name="context">Where it runs.</param>
    /// <param name="gateUp">Gate, then up.</param>
    /// <param name="kind">act.</param>
    /// <param name="y">Output.</param>
    /// <param name="limit">Bound of <see cref="ActivationKind.ClampedSwiGlu"/>; others ignore it.</param>
    void GatedActivation(DeviceContext context, TensorView gateUp, ActivationKind kind, TensorView y, float limit = 0);

    /// <summary>x = cap · tanh(x / cap), in place. [R, V].</summary>
    void SoftCap(DeviceContext context, TensorView x, float cap);

    /// <summary>x = x · scale, in place. [R, V].</summary>
    void Scale(DeviceContext context, TensorView x, float scale);

    /// <summary>y[r, :] = x[rows[r], :]. rows [R] i32, y [R, D].</summary>
    void GatherRows(DeviceContext context, TensorView x, TensorView rows, TensorView y);

    /// <summary>y[t, h, :] = x[t, h, :] · W_hᵀ: head h has the weight of member h. x [T, H, K], W [H][N, K], y [T, H, N].</summary>
    void LinearPerHead(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView y);

    /// <summary>Chooses and weights each token's experts.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="logits">[T, E] f32.</param>
    /// <param name="choiceBias">[E] f32 added to the scores for the choice only, or absent.</param>
    /// <param name="routing">The rule.</param>
    /// <param name="experts">[T, K] i32, best first.</param>
    /// <param name="weights">[T, K] f32.</param>
    void RouteExperts(DeviceContext context, TensorView logits, TensorView choiceBias, MoeRouting routing, TensorView experts, TensorView weights);

    /// <summary>Sorts the assignments t · K + k of tokens to experts by expert; stable.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="experts">[T, K] i32 in [0, E).</param>
    /// <param name="offsets">[E + 1] i32: expert e has the sorted assignments [offsets[e], offsets[e + 1]).</param>
    /// <param name="order">[T · K] i32: the assignment at each sorted place.</param>
    /// <param name="places">[T · K] i32: the sorted place of each assignment.</param>
    void SortByExpert(DeviceContext context, TensorView experts, TensorView offsets, TensorView order, TensorView places);

    /// <summary>
    /// y[i, :] = x[source(i), :] · W_eᵀ + b_e for the sorted assignments i of each expert e. Weights of experts without tokens are not read.
    /// </summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="x">[rows, K].</param>
    /// <param name="weights">[E][N, K].</param>
    /// <param name="offsets">[E + 1] i32, of <see cref="SortByExpert"/>.</param>
    /// <param name="order">[T · K] i32: source(i) = order[i] / <paramref name="topK"/>; absent: source(i) = i.</param>
    /// <param name="topK">Assignments of a row of x; 1 without <paramref name="order"/>.</param>
    /// <param name="y">[T · K, N].</param>
    void GroupedLinear(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView offsets, TensorView order, int topK, TensorView y);

    /// <summary>y[t, :] = Σ_k weights[t, k] · x[places[t · K + k], :], in the order of k; added to y when <paramref name="accumulate"/>.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="x">[T · K, D], sorted.</param>
    /// <param name="places">[T · K] i32, of <see cref="SortByExpert"/>.</param>
    /// <param name="weights">[T, K] f32.</param>
    /// <param name="y">[T, D].</param>
    /// <param name="accumulate">True to add.</param>
    void CombineExperts(DeviceContext context, TensorView x, TensorView places, TensorView weights, TensorView y, bool accumulate);

    /// <summary>x[t, :] = x[t, :] · sigmoid(gate[t]), in place. gate [T, 1], x [T, D].</summary>
    void GateRows(DeviceContext context, TensorView gate, TensorView x);
}
