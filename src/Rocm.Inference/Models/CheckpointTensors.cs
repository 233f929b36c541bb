using Rocm.Inference.Devices;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>One matrix of several that are stacked.</summary>
/// <param name="Name">Tensor name without ".weight" and ".bias".</param>
/// <param name="Rows">Output features.</param>
/// <param name="HasBias">Whether it has a bias.</param>
internal readonly record struct StackedPart(string Name, int Rows, bool HasBias);

/// <summary>The lookups of a model's tensors that its layers share: matrices plain or in blocks of 8-bit floats, biases that must or must not be there.</summary>
/// <param name="weights">The checkpoint.</param>
/// <param name="spec">What the config says.</param>
internal sealed class CheckpointTensors(ITensorSource weights, DecoderSpec spec)
{
    public ITensorSource Weights => weights;

    public int HiddenSize => spec.Dimensions.HiddenSize;

    public WeightQuantization Quantization => spec.Quantization;

    /// <summary>A matrix, with the scales of its blocks if it has 8-bit elements and the config says that there are such.</summary>
    public WeightMatrix Matrix(string name, int rows, int columns) =>
        spec.Quantization == WeightQuantization.BlockFp8 && weights.Find(name)?.DType is { } type && type.IsFloat8()
            ? weights.ScaledMatrix(name, rows, columns, QuantizationConfig.BlockSize) : weights.Matrix(name, rows, columns);

    /// <summary>Matrices over the same inputs, one below the other.</summary>
    public WeightSource Stack(bool hasBias, int columns, params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        var stacked = new StackedPart[parts.Length];
        for (int i = 0; i < parts.Length; i++) stacked[i] = new StackedPart(parts[i].Name, parts[i].Rows, hasBias);
        return Stack(columns, stacked);
    }

    /// <summary>Matrices over the same inputs, one below the other, of which some have a bias.</summary>
    public WeightSource Stack(int columns, params ReadOnlySpan<StackedPart> parts)
    {
        var matrices = new WeightMatrix[parts.Length];
        var biases = new List<float>();
        bool any = false;
        for (int i = 0; i < parts.Length; i++)
        {
            StackedPart part = parts[i];
            matrices[i] = Matrix(part.Name + ".weight", part.Rows, columns);
            any |= part.HasBias;
            if (part.HasBias) biases.AddRange(weights.Vector(part.Name + ".bias", part.Rows));
            else RefuseBias(part.Name + ".bias");
        }

        if (!any) return new WeightSource(matrices);
        if (biases.Count == matrices.Sum(matrix => matrix.Rows)) return new WeightSource(matrices, [.. biases]);
        return new WeightSource(matrices, WithZeros(parts, biases));
    }

    /// <summary>A norm over the hidden state.</summary>
    public float[] Norm(string name) => weights.Vector(name, HiddenSize);

    private static float[] WithZeros(ReadOnlySpan<StackedPart> parts, List<float> biases)
    {
        int rows = 0, used = 0;
        foreach (StackedPart part in parts) rows += part.Rows;
        var all = new float[rows];
        rows = 0;
        foreach (StackedPart part in parts)
        {
            if (part.HasBias) biases.CopyTo(used, all, rows, part.Rows);
            if (part.HasBias) used += part.Rows;
            rows += part.Rows;
        }

        return all;
    }

    // Leaving it out would give a model that runs and is wrong.
    private void RefuseBias(string name)
    {
        if (weights.Find(name) is { } bias)
            throw new ModelLoadException("The checkpoint has a bias that the config does not mention.", weights.Path, name, $"no bias in this {spec.Family} model", bias.Description);
    }
}
