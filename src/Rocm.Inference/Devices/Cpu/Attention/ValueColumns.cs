using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Turns V of layouts in which tokens lie side by side (VectorizedX, Shuffled) into rows of floats.</summary>
internal static unsafe class ValueColumns<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Widens 16 bytes of each channel: 4 tokens of f32, 8 of bf16 or f16.</summary>
    /// <param name="source">The tokens of channel 0.</param>
    /// <param name="channelBytes">From a channel to the next.</param>
    /// <param name="ahead">Where the next tile's tokens of channel 0 are: the caches are asked for them. Null: none.</param>
    /// <param name="dim">Channels.</param>
    /// <param name="type">BF16, F16 or F32.</param>
    /// <param name="rows">[tokens, stride] floats; dim rounded up to 16 is written.</param>
    /// <param name="stride">Floats from a row to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(byte* source, nint channelBytes, byte* ahead, int dim, DType type, float* rows, nint stride)
    {
        const int Channels = 16;
        byte** channels = stackalloc byte*[Channels];
        uint* words = stackalloc uint[4 * Channels];
        int step = (int)Math.Max(1, 64 / channelBytes);
        for (int c = 0; c < dim; c += Channels)
        {
            for (int i = 0; i < Channels; i++) channels[i] = source + (Math.Min(c + i, dim - 1) * channelBytes);
            if (ahead != null && Sse.IsSupported)
            {
                for (int i = 0; i < Channels; i += step) Sse.Prefetch0(ahead + ((c + i) * channelBytes));
            }

            PanelPacker.Transpose16(channels, 0, words, Channels);
            for (int k = 0; k < 4; k++)
            {
                float* word = (float*)words + (k * Channels);
                if (type == DType.F32)
                {
                    for (int i = 0; i < Channels; i += TSimd.Count) TSimd.Store(TSimd.Load(word + i), rows + (k * stride) + c + i);
                    continue;
                }

                float* even = rows + (2 * k * stride) + c, odd = even + stride;
                for (int i = 0; i < Channels; i += TSimd.Count)
                {
                    TVector pair = TSimd.Load(word + i);
                    TSimd.Store(type == DType.BF16 ? TSimd.LowBf16(pair) : TSimd.LowF16(pair), even + i);
                    TSimd.Store(type == DType.BF16 ? TSimd.HighBf16(pair) : TSimd.HighF16(pair), odd + i);
                }
            }
        }
    }
}
