using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// What all products with packed weights share. k goes in blocks that fit the nearest caches and sums stay in a small tile. Rows of the left
/// side are first copied block by block into a padded buffer, because rows at a power-of-two stride evict each other from the L1 cache.
/// </summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    private const int KBlock = 512;
    private const int PackedStride = KBlock + 16;

    // Rows of the left side are readable, and zero, up to a multiple of this many elements: what one 32-bit word of a panel can hold.
    private const int PackedAlignment = 8;
    private const int RowChunk = 128;

    // Of each thread: sums of a chunk of rows, and a widened section of a panel.
    private const long ProductScratch = (RowChunk + Panel.SectionLength) * Panel.Width * sizeof(float);

    /// <summary>Copies a row, each block of k to its place, and pads it with zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRow(float* source, int columns, float* target, long blockStride)
    {
        for (int k = 0; k < columns; k += KBlock, target += blockStride)
        {
            int count = Math.Min(KBlock, columns - k);
            new ReadOnlySpan<float>(source + k, count).CopyTo(new Span<float>(target, count));
            for (; count % PackedAlignment != 0; count++) target[count] = 0;
        }
    }

    /// <summary>sums [rows, 48] = A · B over all k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyPanel<TProduct>(int rows, int columns, float* a, nint lda, long blockStride, byte* panel, float* sums)
        where TProduct : IPanelProduct
    {
        for (int k = 0; k < columns; k += KBlock, a += blockStride)
        {
            int count = Math.Min(KBlock, columns - k);
            TProduct.Multiply(rows, count, a, lda, panel, sums, k != 0, sums + (RowChunk * Panel.Width));
            panel += TProduct.SizeBytes(count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StoreSums(float* sums, float* bias, float* y, int count, bool accumulate)
    {
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count)
        {
            TVector value = TSimd.Load(sums + i);
            if (bias != null) value = TSimd.Add(value, TSimd.Load(bias + i));
            if (accumulate) value = TSimd.Add(TSimd.Load(y + i), value);
            TSimd.Store(value, y + i);
        }

        for (; i < count; i++)
        {
            float value = sums[i];
            if (bias != null) value += bias[i];
            y[i] = accumulate ? y[i] + value : value;
        }
    }
}
