namespace Rocm.Inference.Devices;

/// <summary>
/// The gated experts of a layer as one op, where a device has one: y[t, :] = Σ_k weights[t, k] · down_e(act(gate_e(x[t])) · up_e(x[t])) with e = experts[t, k].
/// Stands for SortByExpert to CombineExperts of <see cref="IKernels"/> in the steps that it takes. Unlike those it may round activations further, and add in an
/// order that is not fixed: the same row may give other bits in another batch, or at another time. Layers of one shape share one. Thread-safe.
/// </summary>
internal interface IFusedExperts
{
    /// <summary>It is to compute steps of so many tokens, whatever they hold.</summary>
    bool Takes(int tokens);

    /// <summary>The most tokens, up to a number, of a step that it does not take or may come not to take when it is tuned; 0: none.</summary>
    int MostTokensLeft(int maxTokens);

    /// <summary>What <see cref="Run"/> takes from the arena for a step of so many tokens.</summary>
    long ScratchBytes(int tokens);

    /// <summary>Enqueues the op.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="x">[T, D].</param>
    /// <param name="gateUp">[E][2F, D], packed from what the device made this of.</param>
    /// <param name="down">[E][D, F], likewise.</param>
    /// <param name="experts">[T, K] i32 in [0, E).</param>
    /// <param name="weights">[T, K] f32.</param>
    /// <param name="y">[T, D], contiguous; may be x.</param>
    void Run(DeviceContext context, TensorView x, PackedWeightGroup gateUp, PackedWeightGroup down, TensorView experts, TensorView weights, TensorView y);

    /// <summary>Measures what it is chosen by, where times are to decide; done before anything is uploaded, as measurements need room.</summary>
    /// <param name="maxTokens">Tokens of the largest step.</param>
    /// <param name="cancellationToken">Stops between two measurements.</param>
    void Tune(int maxTokens, CancellationToken cancellationToken);

    /// <summary>Whose kernels it runs, and what it leaves to others.</summary>
    KernelProvider Provider { get; }
}
