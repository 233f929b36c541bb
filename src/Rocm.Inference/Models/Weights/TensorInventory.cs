using Rocm.Inference.Devices;

namespace Rocm.Inference.Models.Weights;

/// <summary>
/// A checkpoint without a file: writes down what a model asks for and gives tensors without content. Has none of the tensors that a model
/// looks for and can do without.
/// </summary>
internal sealed class TensorInventory(string path) : ITensorSource
{
    private readonly List<CheckpointTensor> _tensors = [];

    public string Path => path;

    /// <summary>What was asked for, in this order.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors => _tensors;

    public bool Contains(string name) => false;

    public TensorInfo? Find(string name) => null;

    public WeightMatrix Matrix(string name, int rows, int columns)
    {
        _tensors.Add(new CheckpointTensor(name, [rows, columns]));
        return new WeightMatrix(name, DType.BF16, rows, columns, 0, (long)columns * DType.BF16.ByteSize(), this);
    }

    public WeightMatrix ScaledMatrix(string name, int rows, int columns, int blockSize) => Matrix(name, rows, columns);

    public MappedTensor Tensor(string name, ReadOnlySpan<int> shape, params ReadOnlySpan<DType> types)
    {
        _tensors.Add(new CheckpointTensor(name, shape.ToArray()));
        return new MappedTensor(types.IsEmpty ? DType.BF16 : types[0], 0, this);
    }

    public float[] Vector(string name, int length) => Values(name, length);

    public float[] Values(string name, params ReadOnlySpan<int> shape)
    {
        _tensors.Add(new CheckpointTensor(name, shape.ToArray()));
        long count = 1;
        foreach (int dim in shape) count = checked(count * dim);
        return new float[count];
    }
}
