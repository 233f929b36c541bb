using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>
/// A paged cache of random keys and values in the layout that AITER's paged kernels read, and what they stand for in double precision. Block 0 is
/// zero; keys of slots that no token has are NaN.
/// </summary>
internal sealed class ShuffledCache
{
    private const int Dim = 128;

    // Null: int8.
    private readonly DType? _stored;
    private readonly int _width;
    private readonly int _x;
    private readonly bool _scalesPerToken;

    internal ShuffledCache(TestRandom random, AiterDType type, int[] contexts, int kvHeads, int blockSize, bool scalesPerToken = true)
    {
        _scalesPerToken = scalesPerToken;
        _stored = type switch { AiterDType.Bf16 => DType.BF16, AiterDType.Fp16 => DType.F16, AiterDType.Fp8 => DType.F8E4M3Fnuz, _ => null };
        _width = type is AiterDType.Bf16 or AiterDType.Fp16 ? 2 : 1;
        _x = 16 / _width;
        (KvHeads, BlockSize, Contexts) = (kvHeads, blockSize, contexts);
        RowLength = contexts.Max(context => (context + blockSize - 1) / blockSize);
        int used = contexts.Sum(context => (context + blockSize - 1) / blockSize);
        Blocks = used + 3;
        int[] order = [.. Enumerable.Range(1, Blocks - 1)];
        for (int i = order.Length - 1; i > 0; i--)
        {
            int j = random.Next(0, i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        Keys = new byte[(long)Blocks * BlockBytes];
        Values = new byte[Keys.Length];
        KeyScales = new float[Blocks * kvHeads * (scalesPerToken ? blockSize : 1)];
        ValueScales = new float[KeyScales.Length];
        Keys.AsSpan(BlockBytes).Fill(_stored == DType.F8E4M3Fnuz ? (byte)0x80 : (byte)0xff);
        // The kernels multiply the values of slots without a token, and the scales of fp8, by zero: they are something, but finite.
        Values.AsSpan(BlockBytes).Fill(0x45);
        float unusedScale = type == AiterDType.Fp8 ? 0.02f : float.NaN;
        KeyScales.AsSpan().Fill(unusedScale);
        ValueScales.AsSpan().Fill(unusedScale);
        Table = new int[contexts.Length * RowLength];
        ExactKeys = new double[contexts.Length][];
        ExactValues = new double[contexts.Length][];
        int next = 0;
        for (int s = 0; s < contexts.Length; s++)
        {
            for (int b = 0; b < (contexts[s] + blockSize - 1) / blockSize; b++) Table[(s * RowLength) + b] = order[next++];
            ExactKeys[s] = Fill(random, Keys, KeyScales, s, (block, head, slot, d) => KeyOffset(block, head, slot, d));
            ExactValues[s] = Fill(random, Values, ValueScales, s, (block, head, slot, d) => ValueOffset(block, head, slot, d));
        }
    }

    internal int[] Contexts { get; }

    internal int KvHeads { get; }

    internal int BlockSize { get; }

    internal int Blocks { get; }

    /// <summary>Entries of a row of the table.</summary>
    internal int RowLength { get; }

    internal int HeadBytes => BlockSize * Dim * _width;

    internal int BlockBytes => KvHeads * HeadBytes;

    internal bool IsQuantized => _width == 1;

    internal byte[] Keys { get; }

    internal byte[] Values { get; }

    internal float[] KeyScales { get; }

    internal float[] ValueScales { get; }

    internal int[] Table { get; }

    /// <summary>Block numbers of all sequences one after the other.</summary>
    internal int[] PackedTable => [.. Contexts.SelectMany((context, s) => Table.AsSpan(s * RowLength, (context + BlockSize - 1) / BlockSize).ToArray())];

    /// <summary>Where each sequence's block numbers begin in the packed table.</summary>
    internal int[] BlockOffsets => [0, .. Contexts.Select((_, s) => Contexts[..(s + 1)].Sum(context => (context + BlockSize - 1) / BlockSize))];

    /// <summary>[sequence][token, kv head, dim].</summary>
    internal double[][] ExactKeys { get; }

    internal double[][] ExactValues { get; }

    private double[] Fill(TestRandom random, byte[] bytes, float[] scales, int sequence, Func<int, int, int, int, int> offsetOf)
    {
        var exact = new double[Contexts[sequence] * KvHeads * Dim];
        for (int t = 0; t < Contexts[sequence]; t++)
        {
            int block = Table[(sequence * RowLength) + (t / BlockSize)], slot = t % BlockSize;
            for (int h = 0; h < KvHeads; h++)
            {
                ref float stored = ref scales[_scalesPerToken ? (((block * KvHeads) + h) * BlockSize) + slot : (block * KvHeads) + h];
                if (!IsQuantized) stored = 1;
                else if (_scalesPerToken || slot == 0) stored = 0.005f + (0.001f * random.Next(0, 10));
                float scale = stored;
                float[] row = random.Floats(Dim);
                for (int d = 0; d < Dim; d++)
                {
                    int at = offsetOf(block, h, slot, d);
                    exact[(((t * KvHeads) + h) * Dim) + d] = Store(bytes, at, row[d] / scale) * scale;
                }
            }
        }

        return exact;
    }

    private double Store(byte[] bytes, int at, float value)
    {
        if (_stored is not { } stored)
        {
            sbyte rounded = (sbyte)Math.Clamp(MathF.Round(value / 8), -127, 127);
            bytes[at] = (byte)rounded;
            return rounded;
        }

        // fp8 of FNUZ ends at 240.
        uint bits = OracleNumbers.Encode(stored, _width == 1 ? value / 4 : value);
        for (int i = 0; i < _width; i++) bytes[at + i] = (byte)(bits >> (8 * i));
        return OracleNumbers.Decode(stored, bits);
    }

    private int KeyOffset(int block, int head, int slot, int d) =>
        (block * BlockBytes) + (head * HeadBytes) + ((((d / _x * BlockSize) + slot) * _x + (d % _x)) * _width);

    private int ValueOffset(int block, int head, int slot, int d) =>
        (block * BlockBytes) + (head * HeadBytes) + ((((slot / _x * Dim) + d) * _x + (slot % _x)) * _width);
}
