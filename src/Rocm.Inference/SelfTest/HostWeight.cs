using Rocm.Inference.Devices;
using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest;

/// <summary>
/// A random weight matrix [N, K] as it would lie in a checkpoint: 8-bit floats with f32 scales of 128 × 128 blocks, 4-bit floats (MXFP4) with an exponent
/// for every 32 columns, else plain.
/// </summary>
internal sealed class HostWeight
{
    private const double Spread = 0.5;
    private readonly HostTensor _elements;
    private readonly HostTensor? _scales;
    private readonly DType _dtype;
    private readonly int _rows;
    private readonly int _columns;
    private readonly bool _isTransposed;

    /// <param name="random">Seeded.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="rows">N.</param>
    /// <param name="columns">K; even for 4-bit floats.</param>
    /// <param name="isTransposed">Stored as [K, N], as the up-projections of latent attention are; not with scales.</param>
    public HostWeight(SelfTestRandom random, DType dtype, int rows, int columns, bool isTransposed = false)
    {
        (_dtype, _rows, _columns, _isTransposed) = (dtype, rows, columns, isTransposed);
        if (dtype == DType.F4E2M1)
        {
            _elements = new HostTensor(DType.U8, rows, columns / 2);
            for (int i = 0; i < _elements.Bytes.Length; i++) _elements.Bytes[i] = (byte)random.NextBits();
            _scales = new HostTensor(DType.U8, rows, Blocks(columns));
            for (int i = 0; i < _scales.Bytes.Length; i++) _scales.Bytes[i] = (byte)random.Next(123, 128);
            return;
        }

        _elements = random.Tensor(dtype, dtype.IsFloat8() ? 2 : Spread, rows, columns);
        if (!dtype.IsFloat8()) return;
        _scales = HostTensor.Of(new float[Blocks(rows) * Blocks(columns)], Blocks(rows), Blocks(columns));
        for (int i = 0; i < _scales.Count; i++) _scales[i] = Math.Exp(random.Normal()) / 8;
    }

    /// <summary>What a device packs.</summary>
    public WeightMatrix Matrix
    {
        get
        {
            int rowBytes = _dtype == DType.F4E2M1 ? _columns / 2 : _columns * _dtype.ByteSize();
            var matrix = new WeightMatrix($"{_dtype}[{_rows}, {_columns}]", _dtype, _rows, _columns, _elements.Address, rowBytes, this);
            if (_isTransposed) matrix = matrix with { RowStrideBytes = _dtype.ByteSize(), ColumnStrideBytes = (long)_rows * _dtype.ByteSize() };
            if (_scales is null) return matrix;
            (int blockRows, int blockColumns) = _dtype == DType.F4E2M1 ? (1, 32) : (128, 128);
            long stride = _scales.Shape[1] * _scales.DType.ByteSize();
            return matrix with { Scales = new WeightScales(_scales.DType, _scales.Address, stride, blockRows, blockColumns, _scales) };
        }
    }

    /// <summary>Bytes of elements and scales.</summary>
    public long SizeBytes => _elements.Bytes.Length + (_scales?.Bytes.Length ?? 0);

    /// <summary>One row, scaled.</summary>
    public void ReadRow(int row, Span<double> values)
    {
        if (_isTransposed)
        {
            for (int k = 0; k < _columns; k++) values[k] = _elements[(k * (long)_rows) + row];
        }
        else if (_dtype == DType.F4E2M1)
        {
            for (int k = 0; k < _columns; k++)
                values[k] = ReferenceNumbers.Decode(_dtype, (uint)(_elements.Bytes[((row * (long)_columns) + k) / 2] >> (k % 2 * 4)) & 15);
        }
        else
        {
            _elements.Read(row * (long)_columns, values);
        }

        if (_scales is null) return;
        (int blockRows, int blockColumns) = _dtype == DType.F4E2M1 ? (1, 32) : (128, 128);
        for (int first = 0; first < _columns; first += blockColumns)
        {
            long index = (row / blockRows * _scales.Shape[1]) + (first / blockColumns);
            double scale = _scales.DType == DType.U8 ? Math.ScaleB(1, _scales.Bytes[index] - 127) : _scales[index];
            foreach (ref double value in values[first..Math.Min(_columns, first + blockColumns)]) value *= scale;
        }
    }

    private int Blocks(int count) => (count + (_dtype == DType.F4E2M1 ? 31 : 127)) / (_dtype == DType.F4E2M1 ? 32 : 128);
}
