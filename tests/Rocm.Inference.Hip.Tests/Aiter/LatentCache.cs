using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A cache of random latent rows [slots, 576] in random order, rows that no token has are NaN; and what they stand for in double precision.</summary>
internal sealed class LatentCache
{
    internal const int RowDim = 576, ValueDim = 512;

    internal LatentCache(TestRandom random, AiterDType type, int[] contexts, float scale)
    {
        (Type, Scale, Contexts) = (type, scale, contexts);
        int used = contexts.Sum(), slots = used + 7;
        int[] order = [.. Enumerable.Range(0, slots)];
        for (int i = slots - 1; i > 0; i--)
        {
            int j = random.Next(0, i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        Indices = order[..used];
        Offsets = [0, .. contexts.Select((_, s) => contexts[..(s + 1)].Sum())];
        Bytes = new byte[slots * RowBytes];
        Bytes.AsSpan().Fill(type == AiterDType.Fp8 ? (byte)0x80 : (byte)0xff);
        Keys = new double[contexts.Length][];
        Values = new double[contexts.Length][];
        for (int s = 0; s < contexts.Length; s++)
        {
            Keys[s] = new double[contexts[s] * RowDim];
            Values[s] = new double[contexts[s] * ValueDim];
            for (int t = 0; t < contexts[s]; t++)
            {
                float[] row = random.Floats(RowDim);
                for (int d = 0; d < RowDim; d++)
                {
                    double value = Encode(type, scale, row[d], Bytes.AsSpan((Indices[Offsets[s] + t] * RowBytes) + (d * Width)));
                    Keys[s][(t * RowDim) + d] = value;
                    if (d < ValueDim) Values[s][(t * ValueDim) + d] = value;
                }
            }
        }
    }

    internal AiterDType Type { get; }

    internal float Scale { get; }

    internal int[] Contexts { get; }

    internal int Width => Type == AiterDType.Fp8 ? 1 : 2;

    internal int RowBytes => RowDim * Width;

    internal byte[] Bytes { get; }

    internal int[] Indices { get; }

    internal int[] Offsets { get; }

    internal double[][] Keys { get; }

    internal double[][] Values { get; }

    /// <summary>Stores a value and returns what is stored, times the scale.</summary>
    internal static double Encode(AiterDType type, float scale, float value, Span<byte> to)
    {
        DType stored = type == AiterDType.Fp8 ? DType.F8E4M3Fnuz : DType.BF16;
        uint bits = OracleNumbers.Encode(stored, value / scale);
        to[0] = (byte)bits;
        if (type != AiterDType.Fp8) to[1] = (byte)(bits >> 8);
        return OracleNumbers.Decode(stored, bits) * scale;
    }
}
