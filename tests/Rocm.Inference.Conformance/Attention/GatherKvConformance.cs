using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>GatherKv of a device against the definition of the layouts, and against RopeStoreKv: what one writes the other reads.</summary>
public abstract class GatherKvConformance
{
    protected abstract IDevice CreateDevice(int numThreads);

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    [InlineData(403)]
    public void Any_stretch_of_context_of_any_layout_and_type_is_copied_dequantized(int seed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);
        foreach (KvLayoutKind kind in Enum.GetValues<KvLayoutKind>())
        {
            foreach (DType dtype in PoisonedTensors.CacheTypes(device))
            {
                bool latent = kind == KvLayoutKind.MlaLatent, rows = latent || kind == KvLayoutKind.Nhd;
                int x = 16 / dtype.ByteSize(), heads = latent ? 1 : random.Pick(1, 3);
                int block = kind == KvLayoutKind.Shuffled ? x * random.Pick(1, 2, 3) : random.Pick(1, 5, 16, 32, 272);
                int dim = rows ? random.Pick(33, 64, 72, 112, 576) : x * random.Pick(2, 5, 8), valueDim = random.Pick(40, 64, 128);
                (int Position, int Count)[] stretches = [(random.Next(0, 70), random.Next(0, 60)), (0, 0), (0, random.Pick(1, 47, 48, 49)), (random.Next(0, 9), 31)];
                int perRow = stretches.Max(s => (s.Position + s.Count + block - 1) / block) + 1;
                var layout = new OracleCacheLayout(kind, dtype, (perRow * stretches.Length) + 1, block, heads, dim, valueDim);
                string what = $"seed {seed}: {layout}";
                uint[] keys = layout.Poisoned(layout.KeyShape), values = latent ? [] : layout.Poisoned(layout.ValueShape);
                int[] table = [.. Enumerable.Range(1, perRow * stretches.Length).OrderBy(_ => random.Next(0, int.MaxValue))];
                float[]? keyScales = dtype.IsFloat8() ? random.Chance(0.5) ? [0.37f] : [.. Enumerable.Range(1, heads).Select(h => 0.2f * h)] : null;
                float[]? valueScales = dtype.IsFloat8() && !latent ? [1.9f] : null;

                int total = stretches.Sum(s => s.Count);
                float[] expectedKeys = new float[total * heads * dim], expectedValues = new float[latent ? 0 : total * heads * valueDim];
                int at = 0;
                for (int r = 0; r < stretches.Length; r++)
                {
                    for (int i = 0; i < stretches[r].Count; i++, at++)
                    {
                        int position = stretches[r].Position + i;
                        long slot = ((long)table[(r * perRow) + (position / block)] * block) + (position % block);
                        for (int h = 0; h < heads; h++)
                        {
                            for (int c = 0; c < dim; c++)
                                expectedKeys[(((at * heads) + h) * dim) + c] = Fill(keys, layout.Key(slot, h, c), keyScales is null ? 1 : keyScales[h % keyScales.Length]);
                            for (int c = 0; c < valueDim && !latent; c++)
                                expectedValues[(((at * heads) + h) * valueDim) + c] = Fill(values, layout.Value(slot, h, c), valueScales is null ? 1 : valueScales[0]);
                        }
                    }
                }

                using var tensors = new PoisonedTensors(device, 1024);
                TensorView key = tensors.PoisonActivations(total + 2, heads, dim), value = latent ? default : tensors.PoisonActivations(total + 2, heads, valueDim);
                int[] offsets = [0, .. stretches.Select((_, r) => stretches.Take(r + 1).Sum(s => s.Count))];
                device.AttentionKernels.GatherKv(tensors.Context, new GatherKvArgs
                {
                    Cache = layout.Upload(tensors, keys, latent ? null : values) with
                    {
                        KeyScales = keyScales is null ? default : tensors.F32(keyScales, keyScales.Length),
                        ValueScales = valueScales is null ? default : tensors.F32(valueScales, valueScales.Length),
                    },
                    BlockTable = tensors.I32(table, stretches.Length, perRow),
                    CuSeqlensK = tensors.I32(offsets, offsets.Length),
                    KeyPositions = tensors.I32([.. stretches.Select(s => s.Position)], stretches.Length),
                    NumRows = stretches.Length,
                    Key = key,
                    Value = value,
                });
                Same(tensors.Round(expectedKeys), tensors.Read(key), $"{what}, K");
                if (!latent) Same(tensors.Round(expectedValues), tensors.Read(value), $"{what}, V");
                tensors.Verify();

                float Fill(uint[] cache, long index, float scale)
                {
                    cache[index] = OracleNumbers.Encode(dtype, random.Floats(1)[0]);
                    return (float)OracleNumbers.Decode(dtype, cache[index]) * scale;
                }
            }
        }
    }

    [Theory]
    [InlineData(KvLayoutKind.Nhd)]
    [InlineData(KvLayoutKind.VectorizedX)]
    [InlineData(KvLayoutKind.Shuffled)]
    [InlineData(KvLayoutKind.MlaLatent)]
    public void What_was_stored_with_rounded_inputs_is_read_back_bit_for_bit(KvLayoutKind kind)
    {
        using IDevice device = CreateDevice(2);
        bool latent = kind == KvLayoutKind.MlaLatent;
        foreach (DType dtype in PoisonedTensors.CacheTypes(device))
        {
            var random = new TestRandom(7);
            const int T = 40, Block = 16;
            int heads = latent ? 1 : 2, dim = latent ? 16 : 64, valueDim = 48, keyDim = latent ? dim + valueDim : dim;
            var layout = new OracleCacheLayout(kind, dtype, 4, Block, heads, keyDim, valueDim);
            using var tensors = new PoisonedTensors(device, 1024);
            KvCacheView cache = layout.Upload(tensors, layout.Poisoned(layout.KeyShape), latent ? null : layout.Poisoned(layout.ValueShape)) with
            {
                KeyScales = dtype.IsFloat8() ? tensors.F32([0.011f], 1) : default,
                ValueScales = dtype.IsFloat8() && !latent ? tensors.F32([.. Enumerable.Range(1, heads).Select(h => 0.02f * h)], heads) : default,
            };
            TensorView key = tensors.Activations(random.Floats(T * heads * dim), T, heads, dim), value = tensors.Activations(random.Floats(T * heads * valueDim), T, heads, valueDim);
            device.AttentionKernels.RopeStoreKv(tensors.Context, new RopeStoreKvArgs
            {
                Query = tensors.Activations(new float[T * dim], T, 1, dim),
                Key = key,
                Value = value,
                Rope = null,
                Positions = tensors.I32([.. Enumerable.Range(0, T)], T),
                SlotMapping = tensors.I64([.. Enumerable.Range(0, T).Select(t => (long)(Block + t))], T),
                Cache = cache,
                RoundsInputs = true,
            });
            TensorView keys = tensors.PoisonActivations(T, heads, keyDim), values = latent ? default : tensors.PoisonActivations(T, heads, valueDim);
            device.AttentionKernels.GatherKv(tensors.Context, new GatherKvArgs
            {
                Cache = cache,
                BlockTable = tensors.I32([1, 2, 3], 1, 3),
                CuSeqlensK = tensors.I32([0, T], 2),
                KeyPositions = tensors.I32([0], 1),
                NumRows = 1,
                Key = keys,
                Value = values,
            });
            float[] k = tensors.Read(key), v = tensors.Read(value);
            float[] expected = latent ? [.. Enumerable.Range(0, T).SelectMany(t => v.AsSpan(t * valueDim, valueDim).ToArray().Concat(k.AsSpan(t * dim, dim).ToArray()))] : k;
            Same(expected, tensors.Read(keys), $"{kind} {dtype}");
            if (!latent) Same(v, tensors.Read(values), $"{kind} {dtype}");
        }
    }

    private static void Same(float[] expected, float[] actual, string what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i])) Assert.Fail($"{what}: element {i} is {actual[i]:R}, expected {expected[i]:R}.");
        }

        Assert.DoesNotContain(actual.AsSpan(expected.Length).ToArray(), v => !float.IsNaN(v));
    }
}
