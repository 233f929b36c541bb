using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>RopeStoreKv of a device against the oracle.</summary>
public abstract class RopeStoreKvConformance
{
    protected abstract IDevice CreateDevice(int numThreads);

    [Theory]
    [InlineData(DType.BF16, 64, 64, false)]
    [InlineData(DType.BF16, 64, 64, true)]
    [InlineData(DType.F16, 80, 32, false)]
    [InlineData(DType.F32, 128, 96, true)]
    [InlineData(DType.BF16, 33, 6, false)]
    [InlineData(DType.F32, 16, 0, false)]
    public void Q_and_k_are_rotated_and_k_and_v_land_in_their_slots(DType dtype, int dim, int rotary, bool interleaved)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(dim + rotary);
        const int T = 21, QueryHeads = 6, KvHeads = 2, Block = 5, Blocks = 9, Positions = 300;
        int valueDim = dim + 3;
        float[] q = random.Floats(T * QueryHeads * dim), k = random.Floats(T * KvHeads * dim), v = random.Floats(T * KvHeads * valueDim);
        int[] positions = [.. Enumerable.Range(0, T).Select(_ => random.Next(0, Positions))];
        long[] slots = [.. Enumerable.Range(0, Block * Blocks).OrderBy(_ => random.Next(0, 1 << 30)).Take(T).Select(s => (long)s)];
        slots[4] = -1;
        slots[20] = -1;

        using var tensors = new PoisonedTensors(device, 1024);
        TensorView query = tensors.F32(q, T, QueryHeads, dim), key = tensors.F32(k, T, KvHeads, dim);
        TensorView keyCache = tensors.Poison(dtype, Blocks, Block, KvHeads, dim), valueCache = tensors.Poison(dtype, Blocks, Block, KvHeads, valueDim);
        (double[][] cos, double[][] sin, RopeTable? table) = Table(device, tensors, Positions, rotary, interleaved);
        using (table)
        {
            device.AttentionKernels.RopeStoreKv(tensors.Context, new RopeStoreKvArgs
            {
                Query = query,
                Key = key,
                Value = tensors.F32(v, T, KvHeads, valueDim),
                Rope = table,
                Positions = tensors.I32(positions, T),
                SlotMapping = tensors.I64(slots, T),
                Cache = new KvCacheView { Layout = KvLayoutKind.Nhd, BlockSize = Block, Key = keyCache, Value = valueCache },
            });
        }

        int[] live = [.. Enumerable.Range(0, T).Where(t => slots[t] >= 0)];
        float[] rotatedK = tensors.Read(key);
        Tolerance.F32.Check(Rotated(q, QueryHeads), Rows(tensors.Read(query), QueryHeads * dim), "q");
        Tolerance.F32.Check(Rotated(k, KvHeads), Rows(rotatedK, KvHeads * dim), "k");

        uint[] storedKeys = Bits(tensors, keyCache), storedValues = Bits(tensors, valueCache);
        uint poison = dtype == DType.F32 ? uint.MaxValue : 0xFFFF;
        for (int slot = 0; slot < Block * Blocks; slot++)
        {
            int t = Array.IndexOf(slots, slot);
            for (int i = 0; i < KvHeads * dim; i++)
                Assert.Equal(t < 0 ? poison : OracleNumbers.Encode(dtype, rotatedK[(t * KvHeads * dim) + i]), storedKeys[(slot * KvHeads * dim) + i]);
            for (int i = 0; i < KvHeads * valueDim; i++)
                Assert.Equal(t < 0 ? poison : OracleNumbers.Encode(dtype, v[(t * KvHeads * valueDim) + i]), storedValues[(slot * KvHeads * valueDim) + i]);
        }

        tensors.Verify();

        double[] Rotated(float[] x, int heads) =>
            [.. live.SelectMany(t => Enumerable.Range(0, heads).SelectMany(h => OracleOps.Rope(x.AsSpan(((t * heads) + h) * dim, dim), cos[positions[t]], sin[positions[t]], interleaved)))];

        float[] Rows(float[] x, int width) => [.. live.SelectMany(t => x.AsSpan(t * width, width).ToArray())];
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Stores_round_to_nearest_even_and_keep_infinity_and_nan(DType dtype)
    {
        using IDevice device = CreateDevice(1);
        float[] values =
        [
            0, -0f, 1, -1, 1.00390625f, 1.01171875f, 1.0009765625f / 2, 1.00048828125f, 1.00146484375f, 65504, 65519.996f, 65520, 3.39e38f, float.MaxValue, -float.MaxValue,
            float.PositiveInfinity, float.NegativeInfinity, float.NaN, 5.9604645e-8f, 2.9802322e-8f, 2.98023242e-8f, 8.9e-8f, 6.1e-5f, 1e-40f, float.Epsilon,
            BitConverter.UInt32BitsToSingle(0x7F800001), BitConverter.UInt32BitsToSingle(0x3F808000), BitConverter.UInt32BitsToSingle(0x3F818000),
            BitConverter.UInt32BitsToSingle(0x3F807FFF),
        ];
        using var tensors = new PoisonedTensors(device, 1024);
        TensorView cache = tensors.Poison(dtype, 1, 1, 1, values.Length), other = tensors.Poison(dtype, 1, 1, 1, values.Length);
        device.AttentionKernels.RopeStoreKv(tensors.Context, new RopeStoreKvArgs
        {
            Query = tensors.F32(new float[values.Length], 1, 1, values.Length),
            Key = tensors.F32(values, 1, 1, values.Length),
            Value = tensors.F32(values, 1, 1, values.Length),
            Rope = null,
            Positions = tensors.I32([0], 1),
            SlotMapping = tensors.I64([0], 1),
            Cache = new KvCacheView { Layout = KvLayoutKind.Nhd, BlockSize = 1, Key = cache, Value = other },
        });
        uint[] stored = Bits(tensors, cache);
        for (int i = 0; i < values.Length; i++)
        {
            if (float.IsNaN(values[i])) Assert.True(double.IsNaN(OracleNumbers.Decode(dtype, stored[i])));
            else Assert.True(OracleNumbers.Encode(dtype, values[i]) == stored[i], $"{values[i]:R}: {stored[i]:X4}, expected {OracleNumbers.Encode(dtype, values[i]):X4}");
        }
    }

    private static uint[] Bits(PoisonedTensors tensors, TensorView view)
    {
        if (view.DType == DType.F32)
        {
            var words = new uint[view.Count];
            tensors.Context.Download(view, words.AsSpan());
            return words;
        }

        var halves = new ushort[view.Count];
        tensors.Context.Download(view, halves.AsSpan());
        return [.. halves.Select(h => (uint)h)];
    }

    private static (double[][] Cos, double[][] Sin, RopeTable? Table) Table(IDevice device, PoisonedTensors tensors, int positions, int rotary, bool interleaved)
    {
        int half = rotary / 2;
        double[][] cos = new double[positions][], sin = new double[positions][];
        var values = new float[positions * rotary];
        for (int p = 0; p < positions; p++)
        {
            cos[p] = [.. Enumerable.Range(0, half).Select(i => (double)(float)Math.Cos(p * Math.Pow(10000, -2.0 * i / rotary)))];
            sin[p] = [.. Enumerable.Range(0, half).Select(i => (double)(float)Math.Sin(p * Math.Pow(10000, -2.0 * i / rotary)))];
            for (int i = 0; i < half; i++) (values[(p * rotary) + i], values[(p * rotary) + half + i]) = ((float)cos[p][i], (float)sin[p][i]);
        }

        if (rotary == 0) return (cos, sin, null);
        DeviceBuffer buffer = device.Allocate((long)values.Length * sizeof(float));
        tensors.Context.Upload<float>(values, buffer.View(DType.F32, values.Length));
        return (cos, sin, new RopeTable(buffer, positions, rotary, interleaved));
    }
}
