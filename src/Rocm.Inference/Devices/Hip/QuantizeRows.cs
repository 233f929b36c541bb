using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>dense/quantize_rows.hip: activations in 8 bits, for AITER's products of fp8 matrices.</summary>
internal sealed partial class HipKernels
{
    /// <summary>Columns that share a scale.</summary>
    internal const int QuantizedColumns = 128;

    private const int QuantizeThreads = 256;
    private const int QuantizeLanes = 16;
    private const int QuantizeAlignment = 16;

    private HipFunction? _quantizeRows;

    /// <summary>Rows that <see cref="QuantizeRows"/> takes: whole groups of columns, at aligned addresses.</summary>
    internal static bool CanQuantize(in HipOperand x) =>
        x.DType == DType.BF16 && x.Columns % QuantizedColumns == 0 && ((x.Address | (nint)(x.Stride * sizeof(ushort))) & (QuantizeAlignment - 1)) == 0
        && x.Rows * x.Columns <= int.MaxValue;

    /// <summary>
    /// Rounds rows to E4M3 FNUZ with an f32 scale for 128 columns: their largest magnitude / 240, at least 2^−126. Values that are not finite become NaN.
    /// </summary>
    /// <param name="lane">Where it runs.</param>
    /// <param name="x">bf16 [rows, K], see <see cref="CanQuantize"/>.</param>
    /// <param name="elements">Address of [rows, K] bytes.</param>
    /// <param name="scales">Address of f32 [K / 128, rows].</param>
    internal void QuantizeRows(HipContext lane, in HipOperand x, nint elements, nint scales)
    {
        _quantizeRows ??= library.Get(new KernelUnit("dense/quantize_rows.hip", Activation), "quantize_rows", Unsafe.SizeOf<QuantizeRowsArgs>());
        int leaves = x.Columns / QuantizedColumns;
        var args = new QuantizeRowsArgs
        {
            X = x.Address,
            Elements = elements,
            Scales = scales,
            XStride = x.Stride,
            NumRows = (int)x.Rows,
            NumLeaves = leaves,
        };
        const int LeavesOfGroup = QuantizeThreads / QuantizeLanes;
        lane.Launch(_quantizeRows, new HipDim3((uint)(((x.Rows * leaves) + LeavesOfGroup - 1) / LeavesOfGroup)), QuantizeThreads, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct QuantizeRowsArgs
    {
        public nint X, Elements, Scales;
        public long XStride;
        public int NumRows, NumLeaves;
    }
}
