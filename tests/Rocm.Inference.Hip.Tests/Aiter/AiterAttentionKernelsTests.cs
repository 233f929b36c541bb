using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Tests.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>Which of a device's attention kernels are AITER's, and that they give what this library's own give.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterAttentionKernelsTests(ITestOutputHelper log)
{
    private static readonly AttentionSpec _spec = new()
    {
        NumQoHeads = 16, NumKvHeads = 2, HeadDim = 128, VHeadDim = 128, SoftmaxScale = 0.07f, DType = DType.BF16, KvDType = DType.BF16, MaxSeqLen = 1024,
    };

    private static readonly AttentionSpec _latent = new()
    {
        Kind = AttentionKind.Mla, NumQoHeads = 16, NumKvHeads = 1, HeadDim = 192, VHeadDim = 128, SoftmaxScale = 0.1f, DType = DType.BF16, KvDType = DType.BF16,
        KvLoraRank = 512, QkNopeHeadDim = 128, QkRopeHeadDim = 64, MaxSeqLen = 1024,
    };

    [Fact]
    public void Without_an_installation_every_phase_is_ours_and_says_where_AITER_was_looked_for()
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using IDevice gpu = new HipGpu(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), EmulatedGpu.Instance.Compiler, null, "AITER was not found. Looked into /nowhere.");
        foreach (AiterPrimitive primitive in Enum.GetValues<AiterPrimitive>())
        {
            KernelProvider provider = gpu.ProviderOf(primitive, _spec);
            Assert.Equal("hip", provider.Name);
            Assert.Equal("AITER was not found. Looked into /nowhere.", Assert.Single(provider.Reasons));
        }
    }

    [Theory]
    [InlineData("pa8.co", "pa8_mtp.co", "pa/pa8.co")]
    [InlineData("pa_asm.csv", null, "No kernel for 8 Bf16 query heads")]
    public void A_kernel_that_is_missing_is_ours_and_is_named(string missing, string? alsoMissing, string reason)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using var simulated = new SimulatedAiter();
        File.Delete(Path.Combine(simulated.Folder("pa"), missing));
        if (alsoMissing is not null) File.Delete(Path.Combine(simulated.Folder("pa"), alsoMissing));
        AiterKernelLibrary? library = AiterKernelLibrary.Open(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), simulated.Find(), allowUnproven: false, out string absence);
        Assert.True(library is not null, absence);
        using IDevice gpu = new HipGpu(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), EmulatedGpu.Instance.Compiler, library);
        KernelProvider provider = gpu.ProviderOf(AiterPrimitive.PagedDecode, _spec);
        Assert.Equal("hip", provider.Name);
        Assert.Contains(reason, string.Join(' ', provider.Reasons), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mla16.co", 16, "mla/mla16.co")]
    [InlineData("mla_asm.csv", 16, "No kernel that splits contexts is listed for 16 Bf16 heads")]
    [InlineData(null, 17, "No kernel that splits contexts is listed for 32 Bf16 heads")]
    [InlineData(null, 200, "up to 128 heads, not 200")]
    [InlineData(null, 12, "No kernel that splits contexts is listed for 16 Fp8 heads", DType.F8E4M3Fnuz)]
    public void A_latent_kernel_that_is_missing_is_ours_and_is_named(string? missing, int heads, string reason, DType cacheType = DType.BF16)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using var simulated = new SimulatedAiter();
        if (missing is not null) File.Delete(Path.Combine(simulated.Folder("mla"), missing));
        AiterKernelLibrary? library = AiterKernelLibrary.Open(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), simulated.Find(), allowUnproven: false, out string absence);
        Assert.True(library is not null, absence);
        using IDevice gpu = new HipGpu(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), EmulatedGpu.Instance.Compiler, library, allowFp8Activations: true);
        KernelProvider provider = gpu.ProviderOf(AiterPrimitive.MlaDecode, _latent with { NumQoHeads = heads, KvDType = cacheType });
        Assert.Equal("hip", provider.Name);
        Assert.Contains(reason, string.Join(' ', provider.Reasons), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(16, "No persistent kernel is listed for 16 bf16 heads", DType.BF16, false)]
    [InlineData(16, "over bf16 caches only", DType.F8E4M3Fnuz, true)]
    [InlineData(17, "persistent kernels have 16 heads", DType.BF16, true)]
    public void A_persistent_kernel_that_is_missing_is_named_where_times_decide(int heads, string reason, DType cacheType, bool isListed)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using var partial = new PartialAiter(aiter.Library.Kernels, "mla", row => isListed || !row.Contains("_ps.co", StringComparison.Ordinal));
        AiterKernelLibrary? library = AiterKernelLibrary.Open(aiter.Library.Device, partial.Find(), allowUnproven: false, out string absence);
        Assert.True(library is not null, absence);
        using IDevice gpu = new HipGpu(aiter.Library.Device, EmulatedGpu.Instance.Compiler, library, allowFp8Activations: true, choice: AiterKernelChoice.Measured);
        KernelProvider provider = gpu.ProviderOf(AiterPrimitive.MlaDecode, _latent with { NumQoHeads = heads, KvDType = cacheType });
        Assert.Equal("aiter", provider.Name);
        Assert.Contains(reason, string.Join(' ', provider.Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public void A_latent_cache_of_more_bytes_than_the_kernels_address_is_refused()
    {
        var shape = new AiterMlaShape { Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = 16, PoolBytes = 1L << 32 };
        Assert.Empty(AiterMlaDecode.Refusals(shape));
        Assert.Contains("address 4294967296 bytes", Assert.Single(AiterMlaDecode.Refusals(shape with { PoolBytes = (1L << 32) + 1 })), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_kernels_lack_is_refused_by_name()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using IDevice gpu = Create(aiter);
        foreach ((int heads, string exception) in ((int, string)[])[(16, "Rows of more than 4 new tokens"), (32, "Rows of several new tokens")])
        {
            KernelProvider paged = gpu.ProviderOf(AiterPrimitive.PagedDecode, _spec with { NumQoHeads = heads });
            Assert.Equal("aiter", paged.Name);
            Assert.StartsWith(exception, Assert.Single(paged.Reasons), StringComparison.Ordinal);
        }

        Assert.Equal("aiter", gpu.ProviderOf(AiterPrimitive.FlashVarlen, _spec).Name);
        Assert.Equal("aiter", gpu.ProviderOf(AiterPrimitive.FlashVarlen, _latent).Name);
        foreach ((AttentionSpec spec, string reason) in ((AttentionSpec, string)[])[
            (_spec with { SlidingWindow = 128 }, "SlidingWindow"), (_spec with { HasSinks = true }, "Sinks"), (_spec with { HeadDim = 64, VHeadDim = 64 }, "64"),
            (_spec with { KvDType = DType.F8E4M3Fnuz }, "AllowFp8Activations")])
        {
            KernelProvider provider = gpu.ProviderOf(AiterPrimitive.PagedDecode, spec);
            Assert.Equal("hip", provider.Name);
            Assert.Contains(reason, string.Join(' ', provider.Reasons), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Decode_is_right_at_every_context_also_where_the_kernel_is_not()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using IDevice gpu = Create(aiter);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var random = new TestRandom(71);
        int[] contexts = [1, 16, 17, 200, 240, 241, 248, 255, 256, 300];
        const int Block = 16, Width = 20;
        int used = 1;
        int[] table = new int[contexts.Length * Width];
        for (int r = 0; r < contexts.Length; r++)
            for (int b = 0; b * Block < contexts[r]; b++) table[(r * Width) + b] = used++;

        float[] stored = tensors.Draw(random, (long)used * Block * _spec.NumKvHeads * 128);
        var cache = new KvCacheView
        {
            Layout = KvLayoutKind.Shuffled, BlockSize = Block,
            Key = tensors.Activations(stored, used, _spec.NumKvHeads, 16, Block, 8),
            Value = tensors.Activations([.. stored.Reverse()], used, _spec.NumKvHeads, Block / 8, 128, 8),
        };
        var args = new PagedAttentionArgs
        {
            Spec = _spec, Cache = cache, NumRows = contexts.Length, MaxQueryLen = 1, MaxSeqLen = 320,
            Query = tensors.Activations(tensors.Draw(random, contexts.Length * 16 * 128), contexts.Length, 16, 128),
            CuSeqlensQ = tensors.I32([.. Enumerable.Range(0, contexts.Length + 1)], contexts.Length + 1),
            SeqLens = tensors.I32(contexts, contexts.Length),
            BlockTable = tensors.I32(table, contexts.Length, Width),
            Output = tensors.PoisonActivations(contexts.Length, 16, 128),
        };
        log.WriteLine($"seed {random.Seed}");
        gpu.AttentionKernels.PagedDecode(tensors.Context, args);
        float[] own = tensors.Read(args.Output);
        TensorView output = tensors.PoisonActivations(contexts.Length, 16, 128);
        gpu.AiterAttentionKernels.PagedDecode(tensors.Context, args with { Output = output });
        Check(own, tensors.Read(output));
        tensors.Verify();
    }

    [Theory]
    [InlineData(16, 4, true)]
    [InlineData(16, 2, true)]
    [InlineData(12, 3, true)]
    [InlineData(32, 2, false)]
    [InlineData(16, 5, false)]
    public void Rows_of_several_new_tokens_agree_with_the_oracle(int heads, int longest, bool isAiter)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using IDevice gpu = Create(aiter);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var random = new TestRandom(longest);
        // Those that the kernel gets wrong are among them, of one token and of more.
        (int Context, int Query)[] rows = [(4, Math.Min(longest, 4)), (1, 1), (248, 1), (255, 2), (256, longest), (17, 2), (300, longest), (241, 1)];
        int[] contexts = [.. rows.Select(row => row.Context)], offsets = [0, .. rows.Select((_, r) => rows[..(r + 1)].Sum(row => row.Query))];
        var cache = new ShuffledCache(random, AiterDType.Bf16, contexts, _spec.NumKvHeads, 16);
        int tokens = offsets[^1], width = heads * 128;
        AttentionSpec spec = _spec with { NumQoHeads = heads };
        TensorView keys = tensors.Poison(DType.BF16, cache.Blocks, 2, 16, 16, 8), values = tensors.Poison(DType.BF16, cache.Blocks, 2, 2, 128, 8);
        tensors.Context.Upload<byte>(cache.Keys, new TensorView(keys.Buffer, keys.ByteOffset, DType.U8, cache.Keys.Length));
        tensors.Context.Upload<byte>(cache.Values, new TensorView(values.Buffer, values.ByteOffset, DType.U8, cache.Values.Length));
        float[] queries = tensors.Draw(random, tokens * width);
        var args = new PagedAttentionArgs
        {
            Spec = spec, NumRows = rows.Length, MaxQueryLen = rows.Max(row => row.Query), MaxSeqLen = 320,
            Cache = new KvCacheView { Layout = KvLayoutKind.Shuffled, BlockSize = 16, Key = keys, Value = values },
            Query = tensors.Activations(queries, tokens, heads, 128),
            CuSeqlensQ = tensors.I32(offsets, offsets.Length),
            SeqLens = tensors.I32(contexts, contexts.Length),
            BlockTable = tensors.I32(cache.Table, contexts.Length, cache.RowLength),
            Output = tensors.PoisonActivations(tokens, heads, 128),
        };
        log.WriteLine($"seed {random.Seed}");
        gpu.AttentionKernels.PagedDecode(tensors.Context, args);
        uint[] own = tensors.ReadBits(args.Output);
        gpu.AiterAttentionKernels.PagedDecode(tensors.Context, args);
        Assert.Equal(isAiter, !own.SequenceEqual(tensors.ReadBits(args.Output)));
        float[] found = tensors.Read(args.Output);
        var oracle = new OracleAttention { NumQoHeads = heads, NumKvHeads = 2, HeadDim = 128, VHeadDim = 128, Scale = spec.SoftmaxScale };
        for (int token = 0, r = 0; token < tokens; token++)
        {
            if (token == offsets[r + 1]) r++;
            double[] expected = oracle.Attend(queries.AsSpan(token * width, width), contexts[r] - offsets[r + 1] + token, cache.ExactKeys[r], cache.ExactValues[r]);
            Assert.InRange(RelativeError.Of(expected, found[(token * width)..((token + 1) * width)]), 0, 0.004);
        }

        tensors.Verify();
    }

    // Queries and probabilities are rounded to fp8, by 2⁻⁴ of each at most.
    [Theory]
    [InlineData(16, 0, 0)]
    [InlineData(16, 1, 1)]
    [InlineData(16, 2, 1)]
    [InlineData(32, 1, 2)]
    public void Decode_over_an_fp8_cache_agrees_with_ours_whatever_scales_it_has(int heads, int keyScales, int valueScales)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using IDevice gpu = Create(aiter, allowFp8Activations: true);
        KernelProvider other = gpu.ProviderOf(AiterPrimitive.PagedDecode, _spec with { KvDType = DType.F8E4M3Fn });
        Assert.Contains("8-bit caches of F8E4M3Fnuz on this device, not of F8E4M3Fn", Assert.Single(other.Reasons), StringComparison.Ordinal);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var random = new TestRandom(73);
        AttentionSpec spec = _spec with { NumQoHeads = heads, KvDType = DType.F8E4M3Fnuz, HasKvScales = keyScales > 0 };
        Assert.Equal("aiter", gpu.ProviderOf(AiterPrimitive.PagedDecode, spec).Name);
        int[] contexts = [1, 17, 200, 248, 256, 300];
        const int Block = 16, Width = 20;
        int used = 1;
        int[] table = new int[contexts.Length * Width];
        for (int r = 0; r < contexts.Length; r++)
            for (int b = 0; b * Block < contexts[r]; b++) table[(r * Width) + b] = used++;

        var cache = new KvCacheView
        {
            Layout = KvLayoutKind.Shuffled, BlockSize = Block,
            Key = tensors.Of(DType.F8E4M3Fnuz, Stored(), used, spec.NumKvHeads, 8, Block, 16),
            Value = tensors.Of(DType.F8E4M3Fnuz, Stored(), used, spec.NumKvHeads, 1, 128, 16),
            KeyScales = keyScales == 0 ? default : tensors.F32([.. new[] { 0.5f, 1.5f }.Take(keyScales)], keyScales),
            ValueScales = valueScales == 0 ? default : tensors.F32([.. new[] { 0.7f, 2f }.Take(valueScales)], valueScales),
        };
        var args = new PagedAttentionArgs
        {
            Spec = spec, Cache = cache, NumRows = contexts.Length, MaxQueryLen = 1, MaxSeqLen = 320,
            Query = tensors.Activations(tensors.Draw(random, contexts.Length * heads * 128), contexts.Length, heads, 128),
            CuSeqlensQ = tensors.I32([.. Enumerable.Range(0, contexts.Length + 1)], contexts.Length + 1),
            SeqLens = tensors.I32(contexts, contexts.Length),
            BlockTable = tensors.I32(table, contexts.Length, Width),
            Output = tensors.PoisonActivations(contexts.Length, heads, 128),
        };
        log.WriteLine($"seed {random.Seed}");
        gpu.AttentionKernels.PagedDecode(tensors.Context, args);
        float[] own = tensors.Read(args.Output);
        TensorView output = tensors.PoisonActivations(contexts.Length, heads, 128);
        gpu.AiterAttentionKernels.PagedDecode(tensors.Context, args with { Output = output });
        double error = RelativeError.Of(own.Select(value => (double)value), tensors.Read(output));
        log.WriteLine($"differs by {error:0.0000}");

        // A difference of nothing would be our kernel against itself.
        Assert.InRange(error, 1e-3, 0.04);
        tensors.Verify();

        float[] Stored() => random.Floats((long)used * Block * spec.NumKvHeads * 128, 2);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public void Flash_attention_agrees_with_ours_and_so_does_its_LSE(bool causal, bool latent)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using IDevice gpu = Create(aiter);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var random = new TestRandom(72);
        int heads = latent ? 4 : 8, kvHeads = latent ? 4 : 2;
        AttentionSpec spec = latent ? _latent with { NumQoHeads = heads, NumKvHeads = heads } : _spec with { NumQoHeads = heads };
        int[] queries = [0, 5, 38, 41], keys = causal ? queries : [0, 50, 60, 83];
        var args = new FlashVarlenArgs
        {
            Spec = spec, NumRows = 3, MaxQueryLen = 33, MaxKeyLen = 50, Causal = causal,
            Query = tensors.Activations(tensors.Draw(random, 41 * heads * 128), 41, heads, 128),
            QueryRope = latent ? tensors.Activations(tensors.Draw(random, 41 * heads * 64), 41, heads, 64) : default,
            Key = tensors.Activations(tensors.Draw(random, keys[^1] * kvHeads * 128), keys[^1], kvHeads, 128),
            KeyRope = latent ? tensors.Activations(tensors.Draw(random, keys[^1] * 64), keys[^1], 1, 64) : default,
            Value = tensors.Activations(tensors.Draw(random, keys[^1] * kvHeads * 128), keys[^1], kvHeads, 128),
            CuSeqlensQ = tensors.I32(queries, 4),
            CuSeqlensK = tensors.I32(keys, 4),
            Output = tensors.PoisonActivations(41, heads, 128),
            Lse = tensors.Poison(DType.F32, heads, 41),
        };
        log.WriteLine($"seed {random.Seed}");
        gpu.AttentionKernels.FlashVarlen(tensors.Context, args);
        float[] own = tensors.Read(args.Output), ownLse = tensors.Read(args.Lse);
        FlashVarlenArgs other = args with { Output = tensors.PoisonActivations(41, heads, 128), Lse = tensors.Poison(DType.F32, heads, 41) };
        gpu.AiterAttentionKernels.FlashVarlen(tensors.Context, other);
        Check(own, tensors.Read(other.Output));
        Assert.All(ownLse.Zip(tensors.Read(other.Lse)), pair => Assert.Equal(pair.First, pair.Second, 1e-3));
        tensors.Verify();
    }

    private static HipGpu Create(AiterCheckout aiter, bool allowFp8Activations = false)
    {
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        return new HipGpu(aiter.Library.Device, EmulatedGpu.Instance.Compiler, AiterKernelLibrary.Open(aiter.Library.Device, installation, false, out _), allowFp8Activations: allowFp8Activations);
    }

    // Both round their results to bf16, and their probabilities before the second product.
    private static void Check(float[] expected, float[] actual) =>
        new Tolerance(1e-4, 0.02).Check([.. expected.Select(value => (double)value)], actual, "AITER's kernel against ours");
}
