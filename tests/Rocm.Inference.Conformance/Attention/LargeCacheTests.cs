using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>
/// Caches whose elements and bytes 32 bits do not count. Of their blocks a few are used: the last, those at the powers of two where an index could lose a bit, the
/// first. The same tokens in a small cache give the same bits. One class, so that two such caches never exist at once; untouched pages take no memory.
/// </summary>
public sealed class LargeCacheTests
{
    private const string Cpu = "cpu";
    private const int Block = 16;
    private const int KvHeads = 8;
    private const int GqaRatio = 2;
    private const int Dim = 128;
    private const int Latent = 512;
    private const int LatentRope = 64;
    private const int LatentHeads = 3;
    private const int NumTokens = (5 * Block) + 3;

    public static TheoryData<string, KvLayoutKind, DType, int> Cases { get; } = Matrix();

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_cache_of_more_elements_than_32_bits_count_is_written_and_read_like_a_small_one(string target, KvLayoutKind kind, DType dtype, int bits)
    {
        using IDevice device = target == Cpu ? new CpuDevice(new CpuDeviceOptions { NumThreads = 2 }) : HipDevices.Create(target);
        bool latent = kind == KvLayoutKind.MlaLatent;
        var small = new OracleCacheLayout(kind, dtype, 8, Block, latent ? 1 : KvHeads, latent ? Latent + LatentRope : Dim, latent ? Latent : Dim);
        long perBlock = small.KeyShape.Skip(1).Aggregate(1L, (a, b) => a * b), edge = (1L << bits) / perBlock;
        OracleCacheLayout large = small with { NumBlocks = checked((int)edge + 5) };

        // The block that holds element 2^bits, those before and after it, the one with half that index, the last and the first.
        int[] blocks = [(int)edge + 4, (int)edge, (int)edge - 1, (int)(edge / 2), (int)edge + 1, 0];
        float[][] expected = Run(device, small, [3, 1, 5, 0, 7, 2]), actual = Run(device, large, blocks);
        Assert.All(expected.SelectMany(values => values), value => Assert.True(float.IsFinite(value)));
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i]);
    }

    /// <summary>Stores tokens, and gives what is read of them: gathered rows and results of every primitive that reads a cache.</summary>
    private static float[][] Run(IDevice device, OracleCacheLayout layout, int[] blocks)
    {
        bool latent = layout.Kind == KvLayoutKind.MlaLatent;
        using DeviceBuffer keys = device.Allocate(Bytes(layout.KeyShape)), values = device.Allocate(latent ? 1 : Bytes(layout.ValueShape));
        var cache = new KvCacheView
        {
            Layout = layout.Kind,
            BlockSize = Block,
            Key = new TensorView(keys, 0, layout.DType, layout.KeyShape),
            Value = latent ? default : new TensorView(values, 0, layout.DType, layout.ValueShape),
        };
        var random = new TestRandom(77);
        using var tensors = new PoisonedTensors(device, 16 << 20);
        int heads = latent ? LatentHeads : KvHeads * GqaRatio, keyDim = latent ? LatentRope : Dim, valueDim = latent ? Latent : Dim;
        device.AttentionKernels.RopeStoreKv(tensors.Context, new RopeStoreKvArgs
        {
            Query = tensors.PoisonActivations(NumTokens, heads, keyDim),
            Key = tensors.Activations(tensors.Draw(random, NumTokens * layout.NumHeads * keyDim), NumTokens, layout.NumHeads, keyDim),
            Value = tensors.Activations(tensors.Draw(random, NumTokens * layout.NumHeads * valueDim), NumTokens, layout.NumHeads, valueDim),
            Rope = null,
            Positions = tensors.I32([.. Enumerable.Range(0, NumTokens)], NumTokens),
            SlotMapping = tensors.I64([.. Enumerable.Range(0, NumTokens).Select(t => ((long)blocks[t / Block] * Block) + (t % Block))], NumTokens),
            Cache = cache,
        });
        TensorView table = tensors.I32(blocks, 1, blocks.Length);
        TensorView key = tensors.PoisonActivations(NumTokens, layout.NumHeads, layout.KeyDim), value = latent ? default : tensors.PoisonActivations(NumTokens, layout.NumHeads, Dim);
        device.AttentionKernels.GatherKv(tensors.Context, new GatherKvArgs
        {
            Cache = cache,
            BlockTable = table,
            CuSeqlensK = tensors.I32([0, NumTokens], 2),
            KeyPositions = tensors.I32([0], 1),
            NumRows = 1,
            Key = key,
            Value = value,
        });
        float[] query = tensors.Draw(random, 2 * heads * layout.KeyDim);
        float[][] gathered = latent ? [tensors.Read(key)] : [tensors.Read(key), tensors.Read(value)];
        return [.. gathered, Attend(1), Attend(2)];

        float[] Attend(int numQueries)
        {
            var spec = new AttentionSpec
            {
                Kind = latent ? AttentionKind.Mla : AttentionKind.Mha,
                NumQoHeads = heads,
                NumKvHeads = layout.NumHeads,
                HeadDim = layout.KeyDim,
                VHeadDim = valueDim,
                SoftmaxScale = 0.1f,
                DType = device.ActivationDType,
                KvDType = layout.DType,
                MaxSeqLen = 4096,
                KvLoraRank = latent ? Latent : 0,
                QkRopeHeadDim = latent ? LatentRope : 0,
            };
            TensorView q = tensors.Activations(query[..(numQueries * heads * layout.KeyDim)], numQueries, heads, layout.KeyDim);
            TensorView output = tensors.PoisonActivations(numQueries, heads, valueDim), offsets = tensors.I32([0, numQueries], 2), lengths = tensors.I32([NumTokens], 1);
            if (latent)
            {
                device.AttentionKernels.MlaDecode(tensors.Context, new MlaDecodeArgs
                {
                    Spec = spec,
                    Query = q.Slice(2, 0, Latent),
                    QueryRope = q.Slice(2, Latent, LatentRope),
                    Cache = cache,
                    CuSeqlensQ = offsets,
                    SeqLens = lengths,
                    BlockTable = table,
                    NumRows = 1,
                    MaxQueryLen = numQueries,
                    MaxSeqLen = NumTokens,
                    Output = output,
                });
                return tensors.Read(output);
            }

            var args = new PagedAttentionArgs
            {
                Spec = spec,
                Query = q,
                Cache = cache,
                CuSeqlensQ = offsets,
                SeqLens = lengths,
                BlockTable = table,
                NumRows = 1,
                MaxQueryLen = numQueries,
                MaxSeqLen = NumTokens,
                Output = output,
            };
            if (numQueries == 1) device.AttentionKernels.PagedDecode(tensors.Context, args);
            else device.AttentionKernels.UnifiedAttention(tensors.Context, args);
            return tensors.Read(output);
        }

        long Bytes(long[] shape) => shape.Aggregate(1L, (a, b) => a * b) * layout.DType.ByteSize();
    }

    private static TheoryData<string, KvLayoutKind, DType, int> Matrix()
    {
        var cases = new TheoryData<string, KvLayoutKind, DType, int>();
        foreach (string target in new[] { Cpu, EmulatedGpu.Gfx942, EmulatedGpu.Gfx1100 })
        {
            foreach (KvLayoutKind kind in Enum.GetValues<KvLayoutKind>())
            {
                cases.Add(target, kind, DType.BF16, 31);
                cases.Add(target, kind, DType.F8E4M3Fn, 32);
            }
        }

        return cases;
    }
}
