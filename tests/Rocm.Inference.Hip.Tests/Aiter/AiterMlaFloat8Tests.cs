using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A device's latent decode over fp8 caches by AITER's kernels, where queries may be rounded to fp8, against attention in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterMlaFloat8Tests(ITestOutputHelper log)
{
    // Probabilities are rounded to fp8: by 2⁻⁴ of each at most, by a third of that on average, and errors of many keys cancel.
    private const double Limit = 0.025;
    private const double LseLimit = 1e-3;

    // What rounding queries too may do to a result here.
    private const double QueryLimit = 0.06;

    // A difference of less would be this library's kernel.
    private const double OwnError = 0.004;

    [Theory]
    [InlineData(16, 1, 512, null)]
    [InlineData(16, 1, 4, null)]
    [InlineData(5, 1, 320, 0.013f)]
    [InlineData(16, 2, 320, 0.013f)]
    [InlineData(12, 4, 320, null)]
    [InlineData(128, 1, 96, 0.013f)]
    public void Decode_errs_by_what_queries_and_probabilities_are_rounded_to(int heads, int longest, int maxSeqLen, float? scale)
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu, allowFp8Activations: true);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var random = new TestRandom(heads);
        (int Context, int Query)[] rows = maxSeqLen == 4 ? [(1, 1), (4, 1)] : heads == 128 ? [(65, 1), (30, 1)] : [(1, 1), (300, longest), (64, 1), (65, longest)];
        var c = new LatentDecodeCase(gpu, random, heads, rows, cacheType: DType.F8E4M3Fnuz, scale: scale);
        MlaDecodeArgs args = c.Args(tensors, maxSeqLen, padded: true, lse: true);
        TensorView plan = kernels.PlanDecode(
            tensors.Context,
            new DecodePlanArgs
            {
                Spec = args.Spec, Cache = args.Cache, SeqLens = args.SeqLens, BlockTable = args.BlockTable, NumRows = args.NumRows, MaxQueryLen = longest,
                MaxSeqLen = maxSeqLen,
            },
            tensors.Poison(DType.U8, kernels.DecodePlanBytes(c.Spec, new BatchLimits(rows.Length, rows.Length, maxSeqLen))));
        kernels.MlaDecode(tensors.Context, args);
        uint[] bits = tensors.ReadBits(args.Output);
        double error = c.Check(tensors, args, QueryLimit, double.PositiveInfinity);
        Assert.True(error > OwnError);
        c.RoundQueries();
        log.WriteLine($"seed {random.Seed}, largest error {error:0.0000}, to rounded queries {c.Check(tensors, args, Limit, LseLimit):0.0000}");
        kernels.MlaDecode(tensors.Context, args with { Plan = plan });
        Assert.Equal(bits, tensors.ReadBits(args.Output));
        tensors.Verify();
    }

    [Fact]
    public void A_recorded_decode_follows_the_lengths_that_the_device_has_when_it_is_replayed()
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu, allowFp8Activations: true);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var c = new LatentDecodeCase(gpu, new TestRandom(4), 16, [(130, 1), (66, 1)], cacheType: DType.F8E4M3Fnuz, scale: 0.02f);
        MlaDecodeArgs args = c.Args(tensors, 256, padded: false, lse: true), eager = c.Args(tensors, 256, padded: false, lse: true);
        kernels.MlaDecode(tensors.Context, args);
        using IRecordedWork recorded = tensors.Context.Record(
            (kernels, tensors.Context, args), static work => work.kernels.MlaDecode(work.Context, work.args));
        foreach (int[] lengths in (int[][])[[15, 63], [16, 64], [17, 65], [128, 66], [130, 1]])
        {
            tensors.Context.Upload<int>(lengths, args.SeqLens);
            tensors.Context.Upload<int>(lengths, eager.SeqLens);
            kernels.MlaDecode(tensors.Context, eager);
            tensors.Context.Replay(recorded, 0, static _ => { });
            Assert.Equal(tensors.ReadBits(eager.Output), tensors.ReadBits(args.Output));
            Assert.Equal(tensors.ReadBits(eager.Lse), tensors.ReadBits(args.Lse));
        }
    }

    [Fact]
    public void Queries_that_are_not_finite_are_NaN_and_spoil_no_other_row()
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu, allowFp8Activations: true);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var c = new LatentDecodeCase(gpu, new TestRandom(9), 16, [(20, 1), (33, 1)], cacheType: DType.F8E4M3Fnuz);
        MlaDecodeArgs args = c.Args(tensors, 64, padded: false, lse: false);
        kernels.MlaDecode(tensors.Context, args);
        float[] before = tensors.Read(args.Output);
        tensors.Context.Upload<ushort>([(ushort)OracleNumbers.Encode(DType.BF16, float.PositiveInfinity)], new TensorView(args.Query.Buffer, args.Query.ByteOffset, DType.BF16, 1));
        kernels.MlaDecode(tensors.Context, args);
        float[] after = tensors.Read(args.Output);
        Assert.All(after.Take(512), value => Assert.Equal(float.NaN, value));
        Assert.DoesNotContain(float.NaN, after.Skip(512));
        Assert.InRange(RelativeError.Of(before.Skip(16 * 512).Select(value => (double)value), after[(16 * 512)..]), 0, QueryLimit);
    }

    [Fact]
    public void Caches_of_another_kind_of_fp8_and_devices_that_may_not_round_are_refused_by_name()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels allowed = Create(gpu, allowFp8Activations: true), not = Create(gpu, allowFp8Activations: false);
        AttentionSpec spec = new LatentDecodeCase(gpu, new TestRandom(1), 16, [(1, 1)], cacheType: DType.F8E4M3Fnuz).Spec;
        foreach ((AiterAttentionKernels kernels, AttentionSpec asked, string provider, string reason) in ((AiterAttentionKernels, AttentionSpec, string, string)[])[
            (allowed, spec, "aiter", "more than 4 new tokens"), (allowed, spec with { NumQoHeads = 8 }, "aiter", "more than 4 new tokens"),
            (allowed, spec with { NumQoHeads = 33 }, "aiter", "several new tokens"), (allowed, spec with { KvDType = DType.F8E4M3Fn }, "hip", "not of F8E4M3Fn"),
            (allowed, spec with { KvDType = DType.F8E5M2 }, "hip", "not of F8E5M2"), (allowed, spec with { NumQoHeads = 129 }, "hip", "up to 128 heads, not 129"),
            (not, spec, "hip", "AllowFp8Activations")])
        {
            KernelProvider found = kernels.ProviderOf(AiterPrimitive.MlaDecode, asked);
            Assert.Equal(provider, found.Name);
            Assert.Contains(reason, string.Join(' ', found.Reasons), StringComparison.Ordinal);
        }

        // Eight heads go to the kernel of sixteen: theirs leaves the scale out.
        var shape = new AiterMlaShape { Query = AiterDType.Fp8, Cache = AiterDType.Fp8, Heads = 8, PoolBytes = 0 };
        Assert.Contains("leaves the scale of the cache out", Assert.Single(AiterMlaDecode.Refusals(shape)), StringComparison.Ordinal);
    }

    private static AiterAttentionKernels Create(HipGpu gpu, bool allowFp8Activations)
    {
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        return new AiterAttentionKernels(
            (HipAttentionKernels)gpu.AttentionKernels, AiterKernelLibrary.Open(gpu.Native, installation, false, out _), "", allowFp8Activations);
    }
}
