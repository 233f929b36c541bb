using Rocm.Inference.Devices;
using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>Attention over contiguous keys, and the merge of partial results.</summary>
internal static class FlashChecks
{
    private const int MostTokens = 8;
    private const int NumPadding = 2;

    public static IEnumerable<SelfTestCheck> Of(ModelShape model, AttentionShape shape)
    {
        foreach (bool isPacked in (bool[])[false, true])
        {
            yield return Flash(shape, model.MixedRows, isCausal: true, isPacked);
            yield return Flash(shape, model.MixedRows, isCausal: false, isPacked);
        }

        yield return Merge(shape.Spec.NumQoHeads, shape.Spec.VHeadDim, model.Tokens[^1]);
    }

    /// <summary>Causal: rows over all of their keys. Not causal: rows over their context without its first key, as a chunk of cached context is.</summary>
    public static SelfTestCheck Flash(AttentionShape shape, IReadOnlyList<PagedRow> rows, bool isCausal, bool isPacked) => new(
        isPacked ? nameof(IAttentionKernels.FlashVarlenPacked) : nameof(IAttentionKernels.FlashVarlen),
        $"{string.Join(' ', rows.Select(row => $"{row.QueryLen}x{Keys(row, isCausal)}"))}{(isCausal ? "" : " of context")}, {shape.Heads}{Parts(shape.Spec)}{shape.Features}",
        lane =>
        {
            AttentionSpec spec = shape.Spec with { DType = lane.Activation };
            int heads = spec.NumQoHeads, rope = spec.Kind == AttentionKind.Mla ? spec.QkRopeHeadDim : 0, dim = spec.HeadDim - rope;
            int kvHeads = spec.Kind == AttentionKind.Mla ? heads : spec.NumKvHeads, valueDim = spec.VHeadDim;
            spec = spec with { NumKvHeads = kvHeads };
            int[] offsets = Offsets(rows, row => row.QueryLen), keyOffsets = Offsets(rows, row => Keys(row, isCausal));
            int tokens = offsets[^1], keys = keyOffsets[^1], firstKey = isCausal ? 0 : 1;
            HostTensor q = lane.Draw(tokens + NumPadding, heads, dim + rope), kv = lane.Draw(Math.Max(keys, 1), kvHeads, dim + valueDim), kr = lane.Draw(Math.Max(keys, 1), 1, rope);
            float[]? sinks = spec.HasSinks && isCausal ? lane.Random.Floats(heads, 2) : null;
            float[]? slopes = spec.HasAlibi ? [.. Enumerable.Range(1, heads).Select(h => (float)Math.Pow(2, -8.0 * h / heads))] : null;

            // K and V are columns of one product, as after the up-projection of latents.
            TensorView query = lane.Upload(q), both = lane.Upload(kv);
            TensorView output = lane.Poison(lane.Activation, tokens + NumPadding, heads, valueDim), lse = lane.Poison(DType.F32, heads, tokens + NumPadding);
            var args = new FlashVarlenArgs
            {
                Spec = spec,
                Query = query.Slice(2, 0, dim),
                QueryRope = rope == 0 ? default : query.Slice(2, dim, rope),
                Key = both.Slice(2, 0, dim),
                KeyRope = rope == 0 ? default : lane.Upload(kr),
                Value = both.Slice(2, dim, valueDim),
                CuSeqlensQ = lane.Upload(offsets),
                CuSeqlensK = lane.Upload(keyOffsets),
                QueryPositions = isCausal ? default : lane.Upload([.. rows.Select(row => row.PrefixLen)]),
                KeyPositions = isCausal ? default : lane.Upload([.. rows.Select(_ => firstKey)]),
                NumRows = rows.Count,
                MaxQueryLen = rows.Max(row => row.QueryLen),
                MaxKeyLen = rows.Max(row => Keys(row, isCausal)),
                Causal = isCausal,
                Sinks = sinks is null ? default : lane.Upload(sinks),
                AlibiSlopes = slopes is null ? default : lane.Upload(slopes),
                Output = output,
                Lse = lse,
            };
            IAttentionKernels kernels = lane.AttentionKernels;
            void Run(DeviceContext context)
            {
                if (isPacked) kernels.FlashVarlenPacked(context, args);
                else kernels.FlashVarlen(context, args);
            }

            double Compare()
            {
                HostTensor result = lane.Download(output), logs = lane.Download(lse);
                var reference = new ReferenceAttention(spec, sinks, slopes);
                ErrorMeter meter = ErrorMeter.OfAttention(lane.Activation), lseMeter = ErrorMeter.OfLse(lane.Activation);
                int width = heads * valueDim, queryWidth = heads * (dim + rope);
                foreach (int token in lane.Sample(tokens, MostTokens))
                {
                    int row = Enumerable.Range(0, rows.Count).First(r => token < offsets[r + 1]);
                    int position = rows[row].PrefixLen + token - offsets[row];
                    (double[] expected, double[] expectedLse) = reference.Attend(
                        q.Read(token * (long)queryWidth, queryWidth), position, firstKey, Keys(rows[row], isCausal), isCausal,
                        (key, head, values) =>
                        {
                            kv.Read((((keyOffsets[row] + key) * (long)kvHeads) + head) * (dim + valueDim), values[..dim]);
                            kr.Read((keyOffsets[row] + key) * (long)rope, values[dim..]);
                        },
                        (key, head, values) => kv.Read(((((keyOffsets[row] + key) * (long)kvHeads) + head) * (dim + valueDim)) + dim, values));
                    meter.Add(expected, result.Read(token * (long)width, width));
                    for (int h = 0; h < heads; h++) lseMeter.Add(expectedLse[h], logs[(h * logs.Shape[1]) + token]);
                }

                for (long i = 0; i < result.Count; i++) meter.Require(i < tokens * (long)width ? double.IsFinite(result[i]) : double.IsNaN(result[i]));
                return Math.Max(meter.Worst(), lseMeter.Worst());
            }

            var limits = new BatchLimits(tokens + NumPadding, rows.Count, Math.Max(1, rows.Max(row => row.SeqLen)));
            return new PreparedCheck(Run, Compare, q.Bytes.Length + kv.Bytes.Length + kr.Bytes.Length + (tokens * (long)heads * ((valueDim * lane.Activation.ByteSize()) + 4)))
            {
                ArenaBytes = kernels.FlashVarlenScratchBytes(spec, limits, keys),
            };
        });

    public static SelfTestCheck Merge(int heads, int dim, int tokens) => new(nameof(IAttentionKernels.MergeStates), $"[{tokens}, {heads}, {dim}]", lane =>
    {
        HostTensor a = lane.Draw(tokens, heads, dim), b = lane.Draw(tokens, heads, dim);
        HostTensor lseA = lane.Random.Tensor(DType.F32, 5, heads, tokens), lseB = lane.Random.Tensor(DType.F32, 5, heads, tokens);

        // Partial results without keys, on one side and on both.
        for (int i = 0; i < lseA.Count; i += 3) lseA[i] = i % 2 == 0 ? double.NegativeInfinity : double.PositiveInfinity;
        for (int i = 0; i < lseB.Count; i += 5) lseB[i] = double.NegativeInfinity;
        TensorView output = lane.Poison(lane.Activation, tokens, heads, dim), lse = lane.Poison(DType.F32, heads, tokens);
        var args = new MergeStatesArgs
        {
            OutputA = lane.Upload(a),
            LseA = lane.Upload(lseA),
            OutputB = lane.Upload(b),
            LseB = lane.Upload(lseB),
            Output = output,
            Lse = lse,
        };
        return new PreparedCheck(c => c.Device.AttentionKernels.MergeStates(c, args), () =>
        {
            HostTensor result = lane.Download(output), logs = lane.Download(lse);
            ErrorMeter meter = ErrorMeter.Of(lane.Activation), lseMeter = ErrorMeter.OfLse(lane.Activation);
            var expected = new double[dim];
            for (int t = 0; t < tokens; t++)
            {
                for (int h = 0; h < heads; h++)
                {
                    long at = ((t * (long)heads) + h) * dim, log = (h * (long)tokens) + t;
                    lseMeter.Add(ReferenceAttention.Merge(a.Read(at, dim), lseA[log], b.Read(at, dim), lseB[log], expected), logs[log]);
                    meter.Add(expected, result.Read(at, dim));
                }
            }

            return Math.Max(meter.Worst(), lseMeter.Worst());
        }, (3L * a.Bytes.Length) + (3L * lseA.Bytes.Length));
    });

    private static int Keys(PagedRow row, bool isCausal) => isCausal ? row.SeqLen : Math.Max(0, row.PrefixLen - 1);

    private static string Parts(AttentionSpec spec) => spec.Kind == AttentionKind.Mla ? $", {spec.QkRopeHeadDim} of them rotary and shared" : "";

    private static int[] Offsets(IReadOnlyList<PagedRow> rows, Func<PagedRow, int> length)
    {
        int[] offsets = new int[rows.Count + 1];
        for (int r = 0; r < rows.Count; r++) offsets[r + 1] = offsets[r] + length(rows[r]);
        return offsets;
    }
}
