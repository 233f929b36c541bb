using Rocm.Inference.Devices;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>
/// gpt-oss keeps all experts of a layer in one tensor, rows of gate and up alternating: cut here into views of each expert's matrices, without
/// copying. The plain form is stored transposed, [inputs, outputs]; MXFP4 (OCP Microscaling 1.0) is not.
/// </summary>
internal static class FusedExperts
{
    private const int Mxfp4Block = 32;
    private const int Mxfp4BlockBytes = 16;

    /// <exception cref="ModelLoadException">A tensor is missing or of another type or shape.</exception>
    public static (WeightSource[] GateUp, WeightSource[] Down) Resolve(MoeSpec spec, CheckpointTensors tensors, string prefix)
    {
        int experts = spec.Routing.NumExperts;
        int hidden = tensors.HiddenSize;
        int size = spec.IntermediateSize;
        Fused gateUp = Fused.Find(tensors, prefix + "gate_up_proj", experts, 2 * size, hidden);
        Fused down = Fused.Find(tensors, prefix + "down_proj", experts, hidden, size);
        float[]? gateUpBias = spec.Bias ? tensors.Weights.Values(prefix + "gate_up_proj_bias", experts, 2 * size) : null;
        float[]? downBias = spec.Bias ? tensors.Weights.Values(prefix + "down_proj_bias", experts, hidden) : null;
        var gateUps = new WeightSource[experts];
        var downs = new WeightSource[experts];
        for (int e = 0; e < experts; e++)
        {
            gateUps[e] = new WeightSource(new[] { gateUp.Rows(e, first: 0, step: 2), gateUp.Rows(e, first: 1, step: 2) }, Deinterleaved(gateUpBias, e, size));
            downs[e] = new WeightSource(new[] { down.Rows(e, first: 0, step: 1) }, downBias?.AsSpan(e * hidden, hidden).ToArray());
        }

        return (gateUps, downs);
    }

    private static float[]? Deinterleaved(float[]? biases, int expert, int size)
    {
        if (biases is null) return null;
        var bias = new float[2 * size];
        for (int i = 0; i < size; i++)
        {
            bias[i] = biases[(2L * size * expert) + (2 * i)];
            bias[size + i] = biases[(2L * size * expert) + (2 * i) + 1];
        }

        return bias;
    }

    /// <summary>One matrix of every expert. Strides in bytes; rows are output features.</summary>
    private readonly record struct Fused
    {
        private string Name { get; init; }

        private DType DType { get; init; }

        private int NumRows { get; init; }

        private int Columns { get; init; }

        private nint Address { get; init; }

        private long ExpertStride { get; init; }

        private long RowStride { get; init; }

        private long ColumnStride { get; init; }

        private object Owner { get; init; }

        private MappedTensor? Scales { get; init; }

        public static Fused Find(CheckpointTensors tensors, string name, int experts, int rows, int columns)
        {
            if (tensors.Quantization == WeightQuantization.Mxfp4) return FindMxfp4(tensors, name, experts, rows, columns);
            MappedTensor tensor = tensors.Weights.Tensor(name, [experts, columns, rows]);
            int bytes = tensor.DType.ByteSize();
            return new Fused
            {
                Name = name, DType = tensor.DType, NumRows = rows, Columns = columns, Address = tensor.Address, Owner = tensor.Owner,
                ExpertStride = (long)rows * columns * bytes, RowStride = bytes, ColumnStride = (long)rows * bytes,
            };
        }

        /// <summary>Every <paramref name="step"/>-th row of one expert.</summary>
        public WeightMatrix Rows(int expert, int first, int step)
        {
            nint address = Address + (nint)((expert * ExpertStride) + (first * RowStride));
            var matrix = new WeightMatrix(Name, DType, NumRows / step, Columns, address, step * RowStride, Owner) { ColumnStrideBytes = ColumnStride };
            if (Scales is not { } scales) return matrix;
            long row = Columns / Mxfp4Block;
            nint scale = scales.Address + (nint)(((expert * (long)NumRows) + first) * row);
            return matrix with { Scales = new WeightScales(DType.U8, scale, step * row, 1, Mxfp4Block, scales.Owner) };
        }

        private static Fused FindMxfp4(CheckpointTensors tensors, string name, int experts, int rows, int columns)
        {
            if (columns % Mxfp4Block != 0)
            {
                throw new ModelLoadException(
                    "An MXFP4 matrix does not consist of whole blocks.", tensors.Weights.Path, name, $"a multiple of {Mxfp4Block} columns", $"{columns}");
            }

            int blocks = columns / Mxfp4Block;
            MappedTensor elements = tensors.Weights.Tensor(name + "_blocks", [experts, rows, blocks, Mxfp4BlockBytes], DType.U8);
            return new Fused
            {
                Name = name + "_blocks", DType = DType.F4E2M1, NumRows = rows, Columns = columns, Address = elements.Address, Owner = elements.Owner,
                ExpertStride = (long)rows * columns / 2, RowStride = columns / 2,
                Scales = tensors.Weights.Tensor(name + "_scales", [experts, rows, blocks], DType.U8),
            };
        }
    }
}
