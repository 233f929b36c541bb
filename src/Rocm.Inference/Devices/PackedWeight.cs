namespace Rocm.Inference.Devices;

/// <summary>A weight matrix or vector as it lies in a checkpoint, still in mapped memory.</summary>
/// <param name="Name">Tensor name in the checkpoint, for messages.</param>
/// <param name="DType">Element type in the file.</param>
/// <param name="Rows">N: output features (vocabulary for an embedding).</param>
/// <param name="Columns">K: input features.</param>
/// <param name="Address">First byte of row 0, host memory.</param>
/// <param name="RowStrideBytes">Distance between rows in bytes.</param>
/// <param name="Owner">Keeps the mapping alive while the address is used; may become the storage of the packed weight.</param>
internal readonly record struct WeightMatrix(
    string Name, DType DType, int Rows, int Columns, nint Address, long RowStrideBytes, object Owner);

/// <summary>
/// What <see cref="IDevice.Pack"/> takes: one or more matrices stacked along N (fused q/k/v, gate/up), all with the same K, and an
/// optional bias of the summed N.
/// </summary>
/// <param name="Parts">The matrices, in output order.</param>
/// <param name="Bias">[N] f32, or null.</param>
internal readonly record struct WeightSource(ReadOnlyMemory<WeightMatrix> Parts, float[]? Bias = null);

/// <summary>The one resident copy of a weight in the device's own layout: opaque to everything but the kernels of that device.</summary>
internal abstract class PackedWeight : IDisposable
{
    protected PackedWeight(int outputFeatures, int inputFeatures)
    {
        OutputFeatures = outputFeatures;
        InputFeatures = inputFeatures;
    }

    /// <summary>N.</summary>
    public int OutputFeatures { get; }

    /// <summary>K.</summary>
    public int InputFeatures { get; }

    /// <summary>Bytes of memory this weight keeps resident.</summary>
    public abstract long SizeBytes { get; }

    /// <summary>True when the packed weight reads the mapped file in place, so that the mapping must live as long.</summary>
    public abstract bool SharesSource { get; }

    public abstract void Dispose();
}
