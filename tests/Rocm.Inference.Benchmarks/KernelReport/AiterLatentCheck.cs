using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.SelfTest;
using Shape = Rocm.Inference.SelfTest.AttentionShape;
using Step = Rocm.Inference.SelfTest.Checks.AttentionStep;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>MLA decode by AITER's first stage alone, bf16; what it leaves is reduced on the host when results are compared.</summary>
internal static class AiterLatentCheck
{
    private const int MostTokens = 12;

    /// <summary>The check of a step of single tokens.</summary>
    /// <param name="library">AITER's kernels.</param>
    /// <param name="shape">The layer group, before absorption.</param>
    /// <param name="rows">The step.</param>
    public static SelfTestCheck Of(AiterKernelLibrary library, Shape shape, IReadOnlyList<PagedRow> rows) => new("MlaDecode", "first stage", lane =>
    {
        var step = new Step(lane, shape.Absorbed, rows);
        AttentionSpec spec = shape.Absorbed.Spec;
        KvCacheView cache = step.Cache.View;
        var wanted = new AiterMlaShape { Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = spec.NumQoHeads, PoolBytes = cache.Key.Count * DType.BF16.ByteSize() };
        AiterMlaDecode decode = AiterMlaDecode.TryCreate(library, wanted, out ImmutableArray<string> reasons) ?? throw new NotSupportedException(string.Join(' ', reasons));
        int splits = decode.ChooseSplits(rows.Count, rows.Sum(row => row.SeqLen), lane.Device.ComputeUnits);
        AiterMlaPartials layout = decode.PartialsOf(rows.Count, splits);
        TensorView partials = lane.Poison(DType.F32, layout.Tokens, splits, layout.Heads, AiterMlaPartials.ValueDim);
        TensorView lse = lane.Poison(DType.F32, layout.Tokens, splits, layout.Heads);
        int[] tokens = Tokens(lane, step, rows, shape.BlockSize);
        var arguments = new AiterMlaArguments
        {
            Partials = partials.Address,
            PartialLse = lse.Address,
            Query = step.Query.Address,
            Cache = cache.Key.Address,
            KvOffsets = lane.Upload([0, .. rows.Select((_, r) => rows.Take(r + 1).Sum(row => row.SeqLen))]).Address,
            KvIndices = lane.Upload(tokens).Address,
            LastPageLengths = lane.Upload([.. rows.Select(_ => 1)]).Address,
            QueryOffsets = step.CuSeqlensQ.Address,
            SplitOffsets = lane.Upload([.. Enumerable.Range(0, rows.Count + 1).Select(r => r * splits)]).Address,
            Sequences = rows.Count,
            Splits = splits,
            CacheRowBytes = spec.HeadDim * DType.BF16.ByteSize(),
            Scale = spec.SoftmaxScale,
        };
        return new PreparedCheck(
            context => decode.Launch(HipContext.Of(context).Stream, arguments),
            () =>
            {
                Reduce(lane, layout, rows, lane.Download(partials), lane.Download(lse), step.Output);
                return step.Compare(MostTokens, withLse: false);
            },
            step.Bytes);
    });

    /// <summary>The cache row of every token of the context.</summary>
    private static int[] Tokens(SelfTestLane lane, Step step, IReadOnlyList<PagedRow> rows, int blockSize)
    {
        HostTensor table = lane.Download(step.Cache.BlockTable);
        ReadOnlySpan<int> blocks = MemoryMarshal.Cast<byte, int>(table.Bytes);
        var tokens = new List<int>();
        for (int r = 0; r < rows.Count; r++)
        {
            for (int t = 0; t < rows[r].SeqLen; t++) tokens.Add((blocks[(int)(r * table.Shape[1]) + (t / blockSize)] * blockSize) + (t % blockSize));
        }

        return [.. tokens];
    }

    private static void Reduce(SelfTestLane lane, AiterMlaPartials layout, IReadOnlyList<PagedRow> rows, HostTensor partials, HostTensor lse, TensorView output)
    {
        HostTensor result = lane.Download(output);
        for (int token = 0; token < layout.Tokens; token++)
        {
            int splits = layout.ValidSplits(rows[token].SeqLen);
            for (int h = 0; h < layout.Heads; h++)
            {
                double max = double.NegativeInfinity, sum = 0;
                for (int s = 0; s < splits; s++) max = Math.Max(max, lse[layout.Row(token, s, h)]);
                for (int s = 0; s < splits; s++) sum += Math.Exp(lse[layout.Row(token, s, h)] - max);
                for (int d = 0; d < AiterMlaPartials.ValueDim; d++)
                {
                    double value = 0;
                    for (int s = 0; s < splits; s++)
                        value += Math.Exp(lse[layout.Row(token, s, h)] - max) / sum * partials[(layout.Row(token, s, h) * AiterMlaPartials.ValueDim) + d];
                    result[((((long)token * layout.Heads) + h) * AiterMlaPartials.ValueDim) + d] = value;
                }
            }
        }

        lane.Context.Upload<byte>(result.Bytes, new TensorView(output.Buffer, output.ByteOffset, DType.U8, result.Bytes.Length));
    }
}
