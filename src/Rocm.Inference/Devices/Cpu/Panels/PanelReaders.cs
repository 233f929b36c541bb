using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Reads <see cref="PanelFormat.BF16"/>.</summary>
internal readonly unsafe struct Bf16Panel<TSimd, TVector> : IPanelReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    public static int PairBytes => Panel.Width * sizeof(uint);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Even(byte* pair, int column) => TSimd.LowBf16(TSimd.Load((float*)pair + column));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Odd(byte* pair, int column) => TSimd.HighBf16(TSimd.Load((float*)pair + column));
}

/// <summary>Reads <see cref="PanelFormat.F16"/>.</summary>
internal readonly unsafe struct F16Panel<TSimd, TVector> : IPanelReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    public static int PairBytes => Panel.Width * sizeof(uint);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Even(byte* pair, int column) => TSimd.LowF16(TSimd.Load((float*)pair + column));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Odd(byte* pair, int column) => TSimd.HighF16(TSimd.Load((float*)pair + column));
}

/// <summary>Reads <see cref="PanelFormat.F32"/>.</summary>
internal readonly unsafe struct F32Panel<TSimd, TVector> : IPanelReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    public static int PairBytes => 2 * Panel.Width * sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Even(byte* pair, int column) => TSimd.Load((float*)pair + column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Odd(byte* pair, int column) => TSimd.Load((float*)pair + Panel.Width + column);
}
