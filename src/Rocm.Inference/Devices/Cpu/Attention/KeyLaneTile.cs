using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Scores = Q · K of one panel, to the bits of <see cref="KeyRunTile{TWords}"/>: what is one of a key's four lanes there is one pass here, and passes are
/// added in the order in which lanes are added there. For many query rows this is the faster one, as queries are broadcast by loads alone; a panel has to
/// be packed for it. Keys in whole rows would take 16 short passes, which is slower than reading them in place.
/// </summary>
internal static unsafe class KeyLaneTile<TSimd, TVector, TPanel>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TPanel : struct, IPanelReader<TSimd, TVector>
{
    /// <summary>Query rows of a register tile, and the fewest that can be multiplied.</summary>
    public const int Rows = 8;

    private const int Lanes = KeyRunTile<Bf16Words>.StepElements / 2;
    private const int LinesPerPair = 3;

    // Floats of a pass.
    private const int PassElements = Rows * Panel.Width;

    /// <param name="rows">Rows of Q and C, at least 8.</param>
    /// <param name="dim">Head dimension, whole runs.</param>
    /// <param name="q">[rows, dim], even channels of a run before the odd ones.</param>
    /// <param name="ldq">Elements from a row of Q to the next.</param>
    /// <param name="b">The panel, of 16-bit elements.</param>
    /// <param name="ahead">What is asked for meanwhile.</param>
    /// <param name="c">[rows, 48].</param>
    public static void Multiply(int rows, int dim, float* q, nint ldq, byte* b, in CacheAhead ahead, float* c)
    {
        float* passes = stackalloc float[Lanes * PassElements];
        byte** lines = ahead.Rows;
        nint asked = LinesPerPair;
        for (int row = 0; row < rows; row += Rows)
        {
            // The last rows again, where fewer than a tile are left: their bits do not depend on the tile.
            int at = Math.Min(row, rows - Rows);
            for (int lane = 0; lane < Lanes; lane++)
            {
                Pass(dim, q + (at * ldq) + lane, ldq, b + (lane * TPanel.PairBytes), lines, asked, passes + (lane * PassElements));
                lines += dim / (2 * Lanes) * asked;
            }

            Sum(passes, c + (at * Panel.Width));

            // Dimensions that are no multiple of 32 have lines left.
            for (byte** end = ahead.Rows + ahead.HeadStep; asked > 0 && lines < end; lines++) Sse.Prefetch0(*lines);
            lines = ahead.Rows;
            asked = 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte** lines)
    {
        Sse.Prefetch0(lines[0]);
        Sse.Prefetch0(lines[1]);
        Sse.Prefetch0(lines[2]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, TVector v0, TVector v1, TVector v2)
    {
        TSimd.Store(v0, c);
        TSimd.Store(v1, c + TSimd.Count);
        TSimd.Store(v2, c + (2 * TSimd.Count));
    }

    /// <summary>Adds the four passes: every second one, then what they gave.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sum(float* passes, float* c)
    {
        float* second = passes + PassElements, third = passes + (2 * PassElements), last = passes + (3 * PassElements);
        for (int i = 0; i < PassElements; i += TSimd.Count)
        {
            TVector a = TSimd.Add(TSimd.Load(passes + i), TSimd.Load(third + i)), b = TSimd.Add(TSimd.Load(second + i), TSimd.Load(last + i));
            TSimd.Store(TSimd.Add(a, b), c + i);
        }
    }

    /// <summary>The products of one pair of channels of each run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pass(int dim, float* q, nint ldq, byte* b, byte** lines, nint asked, float* c)
    {
        int width = TSimd.Count;
        float* q1 = q + ldq, q2 = q1 + ldq, q3 = q2 + ldq, q4 = q3 + ldq, q5 = q4 + ldq, q6 = q5 + ldq, q7 = q6 + ldq;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero;
        TVector s40 = TSimd.Zero, s41 = TSimd.Zero, s42 = TSimd.Zero;
        TVector s50 = TSimd.Zero, s51 = TSimd.Zero, s52 = TSimd.Zero;
        TVector s60 = TSimd.Zero, s61 = TSimd.Zero, s62 = TSimd.Zero;
        TVector s70 = TSimd.Zero, s71 = TSimd.Zero, s72 = TSimd.Zero;
        for (nint i = 0; i < dim; i += 2 * Lanes, b += Lanes * TPanel.PairBytes, lines += asked)
        {
            if (asked > 0) Prefetch(lines);
            TVector b0 = TPanel.Even(b, 0), b1 = TPanel.Even(b, width), b2 = TPanel.Even(b, 2 * width);
            TVector x = TSimd.Create(q[i]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(q1[i]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(q2[i]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(q3[i]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
            x = TSimd.Create(q4[i]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            s42 = TSimd.MultiplyAdd(x, b2, s42);
            x = TSimd.Create(q5[i]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            s52 = TSimd.MultiplyAdd(x, b2, s52);
            x = TSimd.Create(q6[i]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            s62 = TSimd.MultiplyAdd(x, b2, s62);
            x = TSimd.Create(q7[i]);
            s70 = TSimd.MultiplyAdd(x, b0, s70);
            s71 = TSimd.MultiplyAdd(x, b1, s71);
            s72 = TSimd.MultiplyAdd(x, b2, s72);
            b0 = TPanel.Odd(b, 0);
            b1 = TPanel.Odd(b, width);
            b2 = TPanel.Odd(b, 2 * width);
            x = TSimd.Create(q[i + Lanes]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(q1[i + Lanes]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(q2[i + Lanes]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(q3[i + Lanes]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
            x = TSimd.Create(q4[i + Lanes]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            s42 = TSimd.MultiplyAdd(x, b2, s42);
            x = TSimd.Create(q5[i + Lanes]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            s52 = TSimd.MultiplyAdd(x, b2, s52);
            x = TSimd.Create(q6[i + Lanes]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            s62 = TSimd.MultiplyAdd(x, b2, s62);
            x = TSimd.Create(q7[i + Lanes]);
            s70 = TSimd.MultiplyAdd(x, b0, s70);
            s71 = TSimd.MultiplyAdd(x, b1, s71);
            s72 = TSimd.MultiplyAdd(x, b2, s72);
        }

        Store(c, s00, s01, s02);
        Store(c + Panel.Width, s10, s11, s12);
        Store(c + (2 * Panel.Width), s20, s21, s22);
        Store(c + (3 * Panel.Width), s30, s31, s32);
        Store(c + (4 * Panel.Width), s40, s41, s42);
        Store(c + (5 * Panel.Width), s50, s51, s52);
        Store(c + (6 * Panel.Width), s60, s61, s62);
        Store(c + (7 * Panel.Width), s70, s71, s72);
    }
}
