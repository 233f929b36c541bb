using Rocm.Inference.Devices;

namespace Rocm.Inference.Models.Weights;

/// <summary>Where the tensors that a model asks for come from: a checkpoint, or nowhere when only the asking is of interest.</summary>
internal interface ITensorSource
{
    /// <summary>The file that messages name.</summary>
    string Path { get; }

    /// <summary>True when there is such a tensor.</summary>
    bool Contains(string name);

    /// <summary>The tensor's description, or null.</summary>
    TensorInfo? Find(string name);

    /// <summary>A weight matrix in host memory.</summary>
    /// <param name="name">Tensor name.</param>
    /// <param name="rows">Expected output features.</param>
    /// <param name="columns">Expected input features.</param>
    /// <exception cref="ModelLoadException">The tensor is missing or of another type or shape.</exception>
    WeightMatrix Matrix(string name, int rows, int columns);

    /// <summary>A weight matrix of 8-bit floats, with a scale for each block in the tensor *_scale_inv (which multiplies, despite its name).</summary>
    /// <param name="name">Tensor name.</param>
    /// <param name="rows">Expected output features.</param>
    /// <param name="columns">Expected input features.</param>
    /// <param name="blockSize">Rows and columns of a block.</param>
    /// <exception cref="ModelLoadException">A tensor is missing or of another type or shape.</exception>
    WeightMatrix ScaledMatrix(string name, int rows, int columns, int blockSize);

    /// <summary>A tensor in host memory.</summary>
    /// <param name="name">Tensor name.</param>
    /// <param name="shape">Expected dimensions, outermost first.</param>
    /// <param name="types">Accepted element types; empty = F32, F16 and BF16.</param>
    /// <exception cref="ModelLoadException">The tensor is missing or of another type or shape.</exception>
    MappedTensor Tensor(string name, ReadOnlySpan<int> shape, params ReadOnlySpan<DType> types);

    /// <summary>All elements of a small tensor as f32, in row-major order.</summary>
    /// <param name="name">Tensor name.</param>
    /// <param name="shape">Expected dimensions, outermost first.</param>
    /// <exception cref="ModelLoadException">The tensor is missing, of another type or shape, or not small.</exception>
    float[] Values(string name, params ReadOnlySpan<int> shape);

    /// <summary>A vector (norm weight, bias) as f32.</summary>
    /// <param name="name">Tensor name.</param>
    /// <param name="length">Expected length.</param>
    /// <exception cref="ModelLoadException">The tensor is missing or of another type or shape.</exception>
    float[] Vector(string name, int length);
}
