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

    /// <summary>A vector (norm weight, bias) as f32.</summary>
    /// <param name="name">Tensor name.</param>
    /// <param name="length">Expected length.</param>
    /// <exception cref="ModelLoadException">The tensor is missing or of another type or shape.</exception>
    float[] Vector(string name, int length);
}
