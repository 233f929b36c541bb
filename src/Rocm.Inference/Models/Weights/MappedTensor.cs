namespace Rocm.Inference.Models.Weights;

/// <summary>A tensor of a checkpoint in mapped memory, its shape and element type checked.</summary>
/// <param name="DType">Element type.</param>
/// <param name="Address">First byte; not aligned.</param>
/// <param name="Owner">Keeps the mapping alive.</param>
internal readonly record struct MappedTensor(DType DType, nint Address, object Owner);
