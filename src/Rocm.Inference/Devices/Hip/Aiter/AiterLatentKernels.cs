using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>attention/aiter_mla.hip: this library's kernels before and after AITER's MLA decode.</summary>
internal sealed class AiterLatentKernels(KernelLibrary library)
{
    private const int PrepareThreads = 256;
    private const int ChunkTokens = 1024;
    private const int ReduceWaves = 4;
    private const int WaveLanes = 64;
    private const int RowVectors = (LatentDim + RopeDim) / 8;

    /// <summary>Dims of a latent row that are values too.</summary>
    internal const int LatentDim = 512;

    /// <summary>Dims of its rotary part.</summary>
    internal const int RopeDim = 64;

    /// <summary>Floats of <see cref="Rows.Maxima"/> at most: one for each thread of a group.</summary>
    internal const int MaxMaxima = PrepareThreads;

    private static readonly KernelUnit _unit = new("attention/aiter_mla.hip", "T=BF16");
    private HipFunction? _prepare;
    private HipFunction? _amax;
    private HipFunction? _quantize;
    private HipFunction? _reduce;

    /// <summary>Writes the table of the rows' tokens, which all layers share.</summary>
    internal void BuildTable(HipContext lane, in Rows rows, int maxSeqLen) => Prepare(lane, rows, Chunks(maxSeqLen), vectorGroups: 0);

    /// <summary>Writes the joined queries of the rows.</summary>
    internal void Join(HipContext lane, in Rows rows) => Prepare(lane, rows, chunks: 0, VectorGroups(rows));

    /// <summary>Writes the joined queries of the rows in fp8, and their scale.</summary>
    internal void Quantize(HipContext lane, in Rows rows)
    {
        _amax ??= library.Get(_unit, "aiter_mla_amax", Unsafe.SizeOf<Rows>());
        _quantize ??= library.Get(_unit, "aiter_mla_quantize", Unsafe.SizeOf<Rows>());
        long vectors = (long)rows.NumRows * rows.QueryLen * rows.NumHeads * RowVectors;
        Rows args = rows with { NumMaxima = (int)Math.Min(MaxMaxima, (vectors + PrepareThreads - 1) / PrepareThreads) };
        lane.Launch(_amax, new HipDim3((uint)args.NumMaxima), PrepareThreads, args);
        lane.Launch(_quantize, new HipDim3((uint)VectorGroups(rows), (uint)rows.NumRows), PrepareThreads, args);
    }

    /// <summary>Writes the table and the joined queries.</summary>
    internal void BuildTableAndJoin(HipContext lane, in Rows rows, int maxSeqLen) => Prepare(lane, rows, Chunks(maxSeqLen), VectorGroups(rows));

    /// <summary>Writes the result of the rows and their LSE from the partials.</summary>
    internal void Reduce(HipContext lane, in Rows rows)
    {
        _reduce ??= library.Get(_unit, "aiter_mla_reduce", Unsafe.SizeOf<Rows>());
        long results = (long)rows.NumRows * rows.QueryLen * rows.NumHeads;
        lane.Launch(_reduce, new HipDim3((uint)((results + ReduceWaves - 1) / ReduceWaves)), ReduceWaves * WaveLanes, rows);
    }

    private static int Chunks(int maxSeqLen) => (maxSeqLen + ChunkTokens - 1) / ChunkTokens;

    private static int VectorGroups(in Rows rows) => ((rows.QueryLen * rows.PaddedHeads * RowVectors) + PrepareThreads - 1) / PrepareThreads;

    private void Prepare(HipContext lane, in Rows rows, int chunks, int vectorGroups)
    {
        _prepare ??= library.Get(_unit, "aiter_mla_prepare", Unsafe.SizeOf<Rows>());
        lane.Launch(_prepare, new HipDim3((uint)(chunks + vectorGroups), (uint)rows.NumRows), PrepareThreads, rows with { TableGroups = chunks });
    }

    /// <summary>Rows of a launch; AiterMlaArgs of the source, field by field. Strides in elements.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal record struct Rows
    {
        public nint Query, Rope;
        public long TokenStride, HeadStride, RopeTokenStride, RopeHeadStride;
        public nint CuSeqlens, SeqLens, BlockTable;
        public long BlockTableStride;

        /// <summary>Tables, see <see cref="AiterMlaArguments"/>: the first, fourth and fifth are of the tokens, the others of the queries.</summary>
        public nint KvOffsets, QueryOffsets, SplitOffsets, PageLengths, KvRows;

        /// <summary>[rows, query tokens, padded heads, 576], bf16 or fp8.</summary>
        public nint Joined;

        /// <summary>What AITER's kernel leaves, see <see cref="AiterMlaPartials"/>.</summary>
        public nint Partials, PartialLse;

        public nint Output;
        public long OutputTokenStride, OutputHeadStride;
        public nint Lse;
        public long LseHeadStride;

        /// <summary>Scratch memory of the scale; the scale of the queries, and a 1.</summary>
        public nint Maxima, Scales;
        public int NumRows, QueryLen, NumHeads, PaddedHeads;

        /// <summary>Rows of the cache from the first of a block to that of the next are <see cref="RowsPerBlock"/>; the block has <see cref="BlockSize"/> tokens.</summary>
        public int BlockSize, RowsPerBlock, NumSplits, KvTile, TableGroups, NumMaxima;

        /// <summary>Fp8 of numeric.h.</summary>
        public int Fp8Type, Unused;
    }
}
