using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Aiter;

/// <summary>The packed bytes and the grid of launches, against ones that a C program packed from AITER's own structures (its binary interface, section 11).</summary>
public sealed class AiterKernargTests
{
    private const string PagedSlots = """
        00 p1000
        10 p2000
        20 p3000
        30 p4000
        40 p5000
        50 p6000
        80 0x3e0293ee
        90 8
        a0 4
        b0 8192
        c0 16384
        d0 4096
        """;

    private static readonly AiterPagedShape _pagedShape = new()
    {
        Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = 32, KvHeads = 4, HeadDim = 128, BlockSize = 16, PoolBytes = 64 * 16384,
    };

    private static readonly AiterPagedArguments _paged = new()
    {
        Output = 0x1000, Query = 0x2000, Keys = 0x3000, Values = 0x4000, BlockTable = 0x5000, ContextLengths = 0x6000, Sequences = 3, BlockTableStride = 8,
        QueryRowBytes = 8192, BlockBytes = 16384, HeadBytes = 4096, Scale = (float)(1 / Math.Sqrt(128)),
    };

    [Fact]
    public void Paged_decode_packs_the_worked_example()
    {
        byte[] kernarg = Dirty();
        AiterPagedDecode.Pack(kernarg, AiterArgumentLayout.PagedWithQueryOffsets, _pagedShape, _paged);
        Assert.Equal(KernargText.Parse(PagedSlots + "\ne0 0\nf0 8", kernarg.Length), kernarg);
        Assert.Equal(new HipDim3(4, 3), AiterPagedDecode.GridOf(_pagedShape, _paged));
    }

    [Fact]
    public void Paged_decode_puts_the_head_ratio_where_releases_before_0_1_17_have_it()
    {
        byte[] kernarg = Dirty();
        AiterPagedDecode.Pack(kernarg, AiterArgumentLayout.LegacyPagedWithQueryOffsets, _pagedShape with { MaxQueryLength = 3 }, _paged with { QueryOffsets = 0x7000 });
        Assert.Equal(KernargText.Parse(PagedSlots + "\ne0 8\nf0 p7000", kernarg.Length), kernarg);
        AiterPagedDecode.Pack(kernarg, AiterArgumentLayout.PagedWithQueryOffsets, _pagedShape with { MaxQueryLength = 3 }, _paged with { QueryOffsets = 0x7000, KeyScales = 0x8000, ValueScales = 0x9000 });
        Assert.Equal(KernargText.Parse(PagedSlots + "\n60 p8000\n70 p9000\ne0 2\nf0 8\n100 p7000", kernarg.Length), kernarg);
    }

    [Fact]
    public void Mla_decode_packs_the_worked_example()
    {
        var shape = new AiterMlaShape { Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = 16, PoolBytes = 400 * 1152 };
        var arguments = new AiterMlaArguments
        {
            Partials = 0x1000, PartialLse = 0x2000, Query = 0x3000, Cache = 0x4000, KvOffsets = 0x5000, KvIndices = 0x6000, LastPageLengths = 0x7000,
            QueryOffsets = 0x8000, SplitOffsets = 0x9000, Sequences = 2, Splits = 16, CacheRowBytes = 1152, Scale = (float)(1 / Math.Sqrt(192)),
        };
        byte[] kernarg = Dirty();
        AiterMlaDecode.Pack(kernarg, shape, arguments);
        Assert.Equal(
            KernargText.Parse(
                """
                00 p1000
                10 p2000
                20 p3000
                30 p4000
                40 p5000
                50 p6000
                60 p7000
                70 0x3d93cd3a
                80 16
                90 16
                a0 18432
                b0 1152
                c0 0
                d0 p8000
                e0 p9000
                150 1
                160 0
                """,
                kernarg.Length),
            kernarg);
        AiterMlaTraits traits = AiterMlaTraits.Of("gfx942", "_ZN5aiter39mla_dec_stage1_bf16_a16w16_subQ16_mqa16E")!;
        Assert.Equal(new HipDim3(1, 2, 16), AiterMlaDecode.GridOf(shape, traits, arguments));
        var partials = new AiterMlaPartials(Tokens: 2, Splits: 16, Heads: 16, traits.KvTile);
        Assert.Equal((1L << 20, 2048, 2, 5), (partials.OutputBytes, partials.LseBytes, partials.ValidSplits(100), partials.ValidSplits(300)));
        Assert.Equal(((1 * 16) + 3) * 16 + 5, partials.Row(token: 1, split: 3, head: 5));
    }

    [Fact]
    public void Persistent_paged_decode_packs_its_plan_and_the_strides_of_its_scales()
    {
        AiterPagedShape shape = _pagedShape with { Cache = AiterDType.Fp8, BlockSize = 1024, MaxQueryLength = 2 };
        var work = new AiterPersistentArguments { WorkOffsets = 0xa000, WorkItems = 0xb000, Partials = 0xc000, PartialLse = 0xd000, Workers = 304 };
        byte[] kernarg = Dirty();
        AiterPersistentPagedDecode.Pack(kernarg, shape, _paged with { QueryOffsets = 0x7000, KeyScales = 0x8000, ValueScales = 0x9000 }, 0xe000, work);
        Assert.Equal(
            KernargText.Parse(
                """
                00 p1000
                10 p2000
                20 p3000
                30 p4000
                40 p5000
                50 p6000
                60 p8000
                70 p9000
                80 0x3e0293ee
                90 4
                a0 8192
                b0 16384
                c0 4096
                d0 1
                e0 8
                f0 p7000
                100 pe000
                110 pa000
                120 pb000
                130 pc000
                140 pd000
                150 4096
                160 16384
                """,
                kernarg.Length),
            kernarg);
    }

    [Fact]
    public void Mla_prefill_and_persistent_decode_differ_from_decode_in_rows_query_stride_and_output()
    {
        var shape = new AiterMlaShape { Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = 16, QueryLength = 3, PoolBytes = 400 * 1152 };
        var arguments = new AiterMlaArguments
        {
            Partials = 0x1000, PartialLse = 0x2000, Query = 0x3000, Cache = 0x4000, KvOffsets = 0x5000, KvIndices = 0x6000, LastPageLengths = 0x7000,
            QueryOffsets = 0x8000, SplitOffsets = 0x9000, Output = 0xa000, Sequences = 2, Splits = 1, CacheRowBytes = 1152, Scale = 1,
        };
        const string common = "00 p1000\n10 p2000\n20 p3000\n30 p4000\n40 p5000\n50 p6000\n60 p7000\n70 0x3f800000\n90 1\nb0 1152\nd0 p8000\ne0 p9000\n120 1\n150 1\n";
        byte[] kernarg = Dirty();
        AiterMlaPrefill.Pack(kernarg, shape, arguments with { Output = 0 });
        Assert.Equal(KernargText.Parse(common + "80 16\na0 18432", kernarg.Length), kernarg);
        Assert.Equal(new HipDim3(38, 2), AiterMlaPrefill.GridOf(shape, arguments, maxQueryLength: 300));
        AiterPersistentMlaDecode.Pack(kernarg, shape, arguments);
        Assert.Equal(KernargText.Parse(common + "80 48\na0 55296\nf0 pa000", kernarg.Length), kernarg);
        // With one split two kernels write their result through the slot of the output, the others through that of the partials: both hold the same address.
        AiterMlaDecode.Pack(kernarg, shape, arguments with { Output = 0 });
        Assert.Equal(KernargText.Parse(common + "80 48\na0 55296\nf0 p1000", kernarg.Length), kernarg);
    }

    [Theory]
    [InlineData(2, 400, 16)]
    [InlineData(64, 64 * 4096, 9)]
    [InlineData(128, 128 * 1024, 2)]
    [InlineData(1, 32768, 16)]
    public void The_number_of_splits_is_that_of_the_heuristic(int sequences, long contextTokens, int splits)
    {
        var shape = new AiterMlaShape { Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = 16, PoolBytes = 1 };
        Assert.Equal(splits, AiterMlaDecode.ChooseSplits(shape, kvTile: 64, sequences, contextTokens, computeUnits: 304));
    }

    [Fact]
    public void Flash_forward_packs_the_worked_example()
    {
        var shape = new AiterFlashShape
        {
            Input = AiterDType.Bf16, QueryDim = 128, ValueDim = 128, Heads = 32, KvHeads = 8, Causal = true, Varlen = true, Rounding = 1,
        };
        var arguments = new AiterFlashArguments
        {
            Output = 0x1000, Query = 0x2000, Key = 0x3000, Value = 0x4000, Lse = 0x5000, QueryOffsets = 0x6000, KeyOffsets = 0x7000, Sequences = 2,
            MaxQueryLength = 300, KeyTokens = 434, QueryTokens = 370, QueryStrides = new(8192, 256), KeyStrides = new(2048, 256), ValueStrides = new(2048, 256),
            OutputStrides = new(8192, 256), Scale = (float)(1 / Math.Sqrt(128)),
        };
        byte[] kernarg = Dirty();
        AiterFlashForward.Pack(kernarg, shape, queryTile: 256, narrow: false, arguments);
        Assert.Equal(
            KernargText.Parse(
                """
                00 p1000
                10 p2000
                20 p3000
                30 p4000
                40 p5000
                50 0x3db504f3
                60 300
                70 8192
                80 2097152
                90 256
                a0 0
                b0 4
                c0 2048
                d0 256
                e0 0
                f0 5
                100 1
                110 434
                120 128
                130 128
                140 32
                150 2048
                160 256
                170 0
                180 8192
                190 256
                1a0 0
                1b0 p6000
                1c0 p7000
                1d0 1480
                1e0 p6000
                1f0 p7000
                """,
                kernarg.Length),
            kernarg);
        Assert.Equal(new HipDim3(32, 2, 1), AiterFlashForward.GridOf(shape, 256, narrow: false, arguments));
    }

    [Theory]
    [InlineData(128, false, true, 600, 16, 2, 3)]
    [InlineData(128, true, true, 600, 16, 2, 2)]
    [InlineData(128, false, false, 600, 3, 16, 2)]
    [InlineData(128, true, false, 600, 2, 16, 2)]
    [InlineData(192, true, true, 300, 16, 2, 3)]
    [InlineData(192, true, false, 300, 16, 3, 2)]
    public void Grids_of_flash_forward_follow_mode_mask_and_width(int queryDim, bool causal, bool varlen, int length, int x, int y, int z)
    {
        var shape = new AiterFlashShape { Input = AiterDType.Bf16, QueryDim = queryDim, ValueDim = 128, Heads = 16, KvHeads = 16, Causal = causal, Varlen = varlen };
        var arguments = new AiterFlashArguments
        {
            Output = 0, Query = 0, Key = 0, Value = 0, Sequences = 2, MaxQueryLength = length, KeyTokens = length, QueryTokens = length, QueryStrides = default,
            KeyStrides = default, ValueStrides = default, OutputStrides = default, Scale = 1,
        };
        bool narrow = AiterFlashForward.IsNarrow(shape, "gfx942");
        Assert.Equal(new HipDim3((uint)x, (uint)y, (uint)z), AiterFlashForward.GridOf(shape, queryDim == 192 ? 128 : 256, narrow, arguments));
    }

    [Theory]
    [InlineData(8, 300, 5)]
    [InlineData(12, 300, 3)]
    [InlineData(8, 16385, 3)]
    public void The_tuning_word_of_masked_kernels_follows_heads_and_length(int heads, int length, int expected)
    {
        var shape = new AiterFlashShape { Input = AiterDType.Bf16, QueryDim = 128, ValueDim = 128, Heads = heads, KvHeads = heads, Causal = true, Varlen = true };
        var arguments = new AiterFlashArguments
        {
            Output = 0, Query = 0, Key = 0, Value = 0, Sequences = 1, MaxQueryLength = length, KeyTokens = length, QueryTokens = length, QueryStrides = default,
            KeyStrides = default, ValueStrides = default, OutputStrides = default, Scale = 1,
        };
        byte[] kernarg = Dirty();
        AiterFlashForward.Pack(kernarg, shape, 256, narrow: false, arguments);
        Assert.Equal(expected, BitConverter.ToInt32(kernarg, 0xf0));
    }

    [Fact]
    public void Shapes_that_no_kernel_serves_are_refused_with_every_reason()
    {
        string[] paged = [.. AiterPagedDecode.Refusals(_pagedShape with { HeadDim = 64, Heads = 68, MaxQueryLength = 5, Features = AiterFeatures.SoftCap | AiterFeatures.Sinks })];
        Assert.Equal(
            [
                "The head dimension is 128, not 64.", "A KV head has 16 query heads at most, not 17.", "A sequence has 1 to 4 query tokens, not 5.",
                "The kernel has no SoftCap, Sinks.",
            ],
            paged);
        Assert.Empty(AiterPagedDecode.Refusals(_pagedShape));
        var mla = new AiterMlaShape { Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = 12, PoolBytes = 5L << 30 };
        Assert.Equal(
            ["The number of heads is 8, 16, 32, 64 or 128, not 12: pad the queries with zero heads.", "The kernels address 4294967296 bytes of cache; it has 5368709120."],
            AiterMlaDecode.Refusals(mla));
        Assert.Equal(["With 128 heads a sequence has 1 to 1 query tokens, not 2."], AiterMlaDecode.Refusals(mla with { Heads = 128, PoolBytes = 1, QueryLength = 2 }));
        var flash = new AiterFlashShape { Input = AiterDType.Fp16, QueryDim = 64, ValueDim = 64, Heads = 4, KvHeads = 3, Causal = true, Varlen = true };
        Assert.Equal(
            [
                "Queries, keys and values are bf16 or fp8, not Fp16.", "The head dimensions are 128 and 128, or 192 and 128, not 64 and 64.",
                "The number of query heads is a multiple of that of KV heads, not 4 beside 3.",
            ],
            AiterFlashForward.Refusals(flash));
    }

    // What was in the buffer before must not show.
    private static byte[] Dirty()
    {
        byte[] kernarg = new byte[AiterKernelCheck.MaxKernargBytes];
        kernarg.AsSpan().Fill(0xcd);
        return kernarg;
    }
}
