using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>RopeStoreKv of a device against the oracle.</summary>
public abstract class RopeStoreKvConformance
{
    protected abstract IDevice CreateDevice(int numThreads);

    [Theory]
    [InlineData(KvLayoutKind.Nhd, DType.BF16, 64, 64, false)]
    [InlineData(KvLayoutKind.Nhd, DType.BF16, 64, 64, true)]
    [InlineData(KvLayoutKind.Nhd, DType.F16, 80, 32, false)]
    [InlineData(KvLayoutKind.Nhd, DType.F32, 128, 96, true)]
    [InlineData(KvLayoutKind.Nhd, DType.BF16, 33, 6, false)]
    [InlineData(KvLayoutKind.Nhd, DType.F32, 16, 0, false)]
    [InlineData(KvLayoutKind.Nhd, DType.F8E4M3Fn, 72, 72, true)]
    [InlineData(KvLayoutKind.VectorizedX, DType.BF16, 72, 10, true)]
    [InlineData(KvLayoutKind.VectorizedX, DType.F32, 36, 36, false)]
    [InlineData(KvLayoutKind.VectorizedX, DType.F8E4M3Fnuz, 80, 64, false)]
    [InlineData(KvLayoutKind.Shuffled, DType.F16, 72, 72, false)]
    [InlineData(KvLayoutKind.Shuffled, DType.F8E5M2, 128, 64, true)]
    [InlineData(KvLayoutKind.MlaLatent, DType.BF16, 64, 64, true)]
    [InlineData(KvLayoutKind.MlaLatent, DType.F8E4M3Fn, 64, 64, true)]
    [InlineData(KvLayoutKind.MlaLatent, DType.F16, 0, 0, true)]
    public void Q_and_k_are_rotated_and_k_and_v_land_in_their_slots(KvLayoutKind kind, DType dtype, int dim, int rotary, bool interleaved)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(dim + rotary);
        bool latent = kind == KvLayoutKind.MlaLatent, rows = latent || kind == KvLayoutKind.Nhd;
        dtype = PoisonedTensors.CacheType(device, dtype);
        int x = 16 / dtype.ByteSize();
        if (!rows) dim = (dim + x - 1) / x * x;
        const int T = 21, QueryHeads = 6, Blocks = 4, Positions = 300;
        int kvHeads = latent ? 1 : 2, block = kind == KvLayoutKind.Shuffled ? 32 : 11, valueDim = latent ? 112 : dim + (dim % 3 == 0 ? 3 : 8);
        var layout = new OracleCacheLayout(kind, dtype, Blocks, block, kvHeads, latent ? dim + valueDim : dim, valueDim);
        float[] q = Draw(T * QueryHeads * dim), k = Draw(T * kvHeads * dim), v = Draw(T * kvHeads * valueDim);
        int[] positions = [.. Enumerable.Range(0, T).Select(_ => random.Next(0, Positions))];
        long[] slots = [.. Enumerable.Range(0, block * Blocks).OrderBy(_ => random.Next(0, 1 << 30)).Take(T).Select(s => (long)s)];
        slots[4] = -1;
        slots[20] = -1;
        float[] keyScales = !dtype.IsFloat8() ? [] : [.. Enumerable.Range(0, kvHeads).Select(h => 0.3f + h)], valueScales = dtype.IsFloat8() && !latent ? [1.7f] : [];

        foreach (bool rounds in new[] { false, true })
        {
            using var tensors = new PoisonedTensors(device, 1024);
            TensorView query = tensors.Activations(q, T, QueryHeads, dim), key = tensors.Activations(k, T, kvHeads, dim), value = tensors.Activations(v, T, kvHeads, valueDim);
            KvCacheView cache = layout.Upload(tensors, layout.Poisoned(layout.KeyShape), latent ? null : layout.Poisoned(layout.ValueShape)) with
            {
                KeyScales = keyScales.Length == 0 ? default : tensors.F32(keyScales, keyScales.Length),
                ValueScales = valueScales.Length == 0 ? default : tensors.F32(valueScales, valueScales.Length),
            };
            (double[][] cos, double[][] sin, RopeTable? table) = Table(device, tensors, Positions, rotary, interleaved);
            using (table)
            {
                device.AttentionKernels.RopeStoreKv(tensors.Context, new RopeStoreKvArgs
                {
                    Query = query,
                    Key = key,
                    Value = value,
                    Rope = table,
                    Positions = tensors.I32(positions, T),
                    SlotMapping = tensors.I64(slots, T),
                    Cache = cache,
                    RoundsInputs = rounds,
                });
            }

            int[] live = [.. Enumerable.Range(0, T).Where(t => slots[t] >= 0)];
            float[] storedK = tensors.Read(key), storedV = tensors.Read(value);
            tensors.Tolerance.Check(Rotated(q, QueryHeads), Rows(tensors.Read(query), QueryHeads * dim), "q");
            if (!rounds) tensors.Tolerance.Check(Rotated(k, kvHeads), Rows(storedK, kvHeads * dim), "k");
            if (!rounds) Assert.Equal(v, storedV);

            // Rotation has no effect where there is none, so that the values that were stored are known; then what is kept is what reading gives.
            uint[] keys = layout.Poisoned(layout.KeyShape), values = latent ? [] : layout.Poisoned(layout.ValueShape);
            foreach (int t in live)
            {
                for (int h = 0; h < kvHeads; h++)
                {
                    float keyScale = keyScales.Length == 0 ? 1 : keyScales[h], valueScale = latent ? keyScale : valueScales.Length == 0 ? 1 : valueScales[0];
                    for (int c = 0; c < dim; c++) Put(keys, layout.Key(slots[t], h, latent ? valueDim + c : c), storedK[(((t * kvHeads) + h) * dim) + c], keyScale);
                    for (int c = 0; c < valueDim; c++)
                        Put(latent ? keys : values, latent ? layout.Key(slots[t], 0, c) : layout.Value(slots[t], h, c), storedV[(((t * kvHeads) + h) * valueDim) + c], valueScale);
                }
            }

            Assert.Equal(keys, tensors.ReadBits(cache.Key));
            if (!latent) Assert.Equal(values, tensors.ReadBits(cache.Value));
            if (rounds)
            {
                foreach (int t in live)
                {
                    for (int i = 0; i < kvHeads * valueDim; i++)
                    {
                        float scale = latent ? keyScales.Length == 0 ? 1 : keyScales[0] : valueScales.Length == 0 ? 1 : valueScales[0];
                        uint bits = OracleNumbers.Encode(dtype, v[(t * kvHeads * valueDim) + i] / scale);
                        Assert.Equal(tensors.Round([(float)OracleNumbers.Decode(dtype, bits) * scale])[0], storedV[(t * kvHeads * valueDim) + i]);
                    }
                }
            }

            tensors.Verify();

            void Put(uint[] bits, long index, float stored, float scale) => bits[index] = OracleNumbers.Encode(dtype, stored / scale);

            double[] Rotated(float[] x, int heads) =>
                [.. live.SelectMany(t => Enumerable.Range(0, heads).SelectMany(h => OracleOps.Rope(x.AsSpan(((t * heads) + h) * dim, dim), cos[positions[t]], sin[positions[t]], interleaved)))];

            float[] Rows(float[] x, int width) => [.. live.SelectMany(t => x.AsSpan(t * width, width).ToArray())];
        }

        float[] Draw(int count) => PoisonedTensors.Round(device, random.Floats(count));
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Stores_round_to_nearest_even_and_keep_infinity_and_nan(DType dtype)
    {
        using IDevice device = CreateDevice(1);
        dtype = PoisonedTensors.CacheType(device, dtype);
        float[] values = PoisonedTensors.Round(device,
        [
            0, -0f, 1, -1, 1.00390625f, 1.01171875f, 1.0009765625f / 2, 1.00048828125f, 1.00146484375f, 65504, 65519.996f, 65520, 3.39e38f, float.MaxValue, -float.MaxValue,
            float.PositiveInfinity, float.NegativeInfinity, float.NaN, 5.9604645e-8f, 2.9802322e-8f, 2.98023242e-8f, 8.9e-8f, 6.1e-5f, 1e-40f, float.Epsilon,
            BitConverter.UInt32BitsToSingle(0x7F800001), BitConverter.UInt32BitsToSingle(0x3F808000), BitConverter.UInt32BitsToSingle(0x3F818000),
            BitConverter.UInt32BitsToSingle(0x3F807FFF),
        ]);
        using var tensors = new PoisonedTensors(device, 1024);
        TensorView cache = tensors.Poison(dtype, 1, 1, 1, values.Length), other = tensors.Poison(dtype, 1, 1, 1, values.Length);
        device.AttentionKernels.RopeStoreKv(tensors.Context, new RopeStoreKvArgs
        {
            Query = tensors.Activations(new float[values.Length], 1, 1, values.Length),
            Key = tensors.Activations(values, 1, 1, values.Length),
            Value = tensors.Activations(values, 1, 1, values.Length),
            Rope = null,
            Positions = tensors.I32([0], 1),
            SlotMapping = tensors.I64([0], 1),
            Cache = new KvCacheView { Layout = KvLayoutKind.Nhd, BlockSize = 1, Key = cache, Value = other },
        });
        uint[] stored = tensors.ReadBits(cache);
        for (int i = 0; i < values.Length; i++)
        {
            if (float.IsNaN(values[i])) Assert.True(double.IsNaN(OracleNumbers.Decode(dtype, stored[i])));
            else Assert.True(OracleNumbers.Encode(dtype, values[i]) == stored[i], $"{values[i]:R}: {stored[i]:X4}, expected {OracleNumbers.Encode(dtype, values[i]):X4}");
        }
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
