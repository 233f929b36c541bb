using System.Runtime.InteropServices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention.Backends;

/// <summary>A random kv_b_proj [N · (P + V), L] in bf16, as numbers and as what a device packs.</summary>
internal sealed class MlaWeights
{
    private readonly AttentionSpec _spec;
    private readonly ushort[] _bits;
    private readonly double[] _values;

    public MlaWeights(TestRandom random, AttentionSpec spec)
    {
        _spec = spec;
        int count = spec.NumQoHeads * (spec.QkNopeHeadDim + spec.VHeadDim) * spec.KvLoraRank;
        float[] values = random.Floats(count, 1 / Math.Sqrt(spec.KvLoraRank));
        _bits = GC.AllocateArray<ushort>(count, pinned: true);
        _values = new double[count];
        for (int i = 0; i < count; i++)
        {
            _bits[i] = (ushort)OracleNumbers.Encode(DType.BF16, values[i]);
            _values[i] = OracleNumbers.Decode(DType.BF16, _bits[i]);
        }
    }

    /// <summary>latent [L] to [N, P + V].</summary>
    public double[] Expand(ReadOnlySpan<double> latent)
    {
        var result = new double[_values.Length / latent.Length];
        for (int i = 0; i < result.Length; i++)
        {
            double sum = 0;
            for (int k = 0; k < latent.Length; k++) sum += _values[(i * latent.Length) + k] * latent[k];
            result[i] = sum;
        }

        return result;
    }

    /// <summary>Packs the three forms; the caller disposes what is in <paramref name="owned"/>.</summary>
    public MlaProjections Pack(IDevice device, List<IDisposable> owned)
    {
        int nope = _spec.QkNopeHeadDim, value = _spec.VHeadDim, rank = _spec.KvLoraRank, head = nope + value;
        PackedWeight all = device.Pack(new WeightSource(new[] { Matrix("kv_b_proj", 0, _spec.NumQoHeads * head) }));
        owned.Add(all);
        PackedWeightGroup absorb = device.PackGroup([.. Enumerable.Range(0, _spec.NumQoHeads).Select(h => new WeightSource(new[] { Transposed($"W_UK {h}", h * head, nope) }))]);
        owned.Add(absorb);
        PackedWeightGroup project = device.PackGroup([.. Enumerable.Range(0, _spec.NumQoHeads).Select(h => new WeightSource(new[] { Matrix($"W_UV {h}", (h * head) + nope, value) }))]);
        owned.Add(project);
        return new MlaProjections(all, absorb, project);

        WeightMatrix Matrix(string name, int first, int rows) => new(name, DType.BF16, rows, rank, Address(first), 2L * rank, this);

        WeightMatrix Transposed(string name, int first, int columns) =>
            new(name, DType.BF16, rank, columns, Address(first), 2, this) { ColumnStrideBytes = 2L * rank };

        nint Address(int row) => Marshal.UnsafeAddrOfPinnedArrayElement(_bits, row * rank);
    }
}
