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
    string Name, DType DType, int Rows, int Columns, nint Address, long RowStrideBytes, object Owner)
{
    /// <summary>Distance between columns in bytes; 0 = the element's size. Other values make a transposed view.</summary>
    public long ColumnStrideBytes { get; init; }

    /// <summary>Scales of blocks of elements, or null.</summary>
    public WeightScales? Scales { get; init; }
}

/// <summary>
/// Scales that belong to a <see cref="WeightMatrix"/>: element (n, k) counts times the scale of block (n / BlockRows, k / BlockColumns).
/// 8-bit floats in 128 × 128 blocks with f32 scales (DeepSeek's and Qwen3-FP8's weight_scale_inv), or MXFP4: blocks of 1 × 32 with one byte
/// each, 2^(byte − 127), 255 = NaN (OCP Microscaling Formats 1.0, E8M0).
/// </summary>
/// <param name="DType">F32, BF16, or U8 for exponents.</param>
/// <param name="Address">First scale, host memory.</param>
/// <param name="RowStrideBytes">Distance between rows of blocks in bytes.</param>
/// <param name="BlockRows">Rows of a block.</param>
/// <param name="BlockColumns">Columns of a block.</param>
/// <param name="Owner">Keeps the memory alive.</param>
internal sealed record WeightScales(DType DType, nint Address, long RowStrideBytes, int BlockRows, int BlockColumns, object Owner)
{
    /// <summary>Distance between columns of blocks in bytes; 0 = the size of a scale. Other values belong to a transposed view.</summary>
    public long ColumnStrideBytes { get; init; }

    /// <summary>Row of the scaled matrix that is row 0 of the view: a view may begin inside a block.</summary>
    public int FirstRow { get; init; }

    /// <summary>Column of the scaled matrix that is column 0 of the view.</summary>
    public int FirstColumn { get; init; }
}

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

/// <summary>Several weights of one shape: one for each expert, or for each head. Opaque like <see cref="PackedWeight"/>.</summary>
internal abstract class PackedWeightGroup : IDisposable
{
    protected PackedWeightGroup(int count, int outputFeatures, int inputFeatures)
    {
        Count = count;
        OutputFeatures = outputFeatures;
        InputFeatures = inputFeatures;
    }

    /// <summary>Number of members.</summary>
    public int Count { get; }

    /// <summary>N of each member.</summary>
    public int OutputFeatures { get; }

    /// <summary>K of each member.</summary>
    public int InputFeatures { get; }

    /// <summary>Bytes of memory all members keep resident.</summary>
    public abstract long SizeBytes { get; }

    /// <summary>True when the mapped file is read in place, so that the mapping must live as long.</summary>
    public abstract bool SharesSource { get; }

    public abstract void Dispose();
}
