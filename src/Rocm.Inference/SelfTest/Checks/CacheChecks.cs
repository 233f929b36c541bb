using Rocm.Inference.Devices;
using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>Storing to and reading from the paged cache.</summary>
internal static class CacheChecks
{
    private const int QueryHeadGap = 8;
    private const int NumPositions = 4096;

    public static IEnumerable<SelfTestCheck> Of(ModelShape model, AttentionShape shape)
    {
        int tokens = model.Tokens[^1];
        yield return RopeStoreKv(shape, tokens, isInterleaved: shape.Spec.Kind == AttentionKind.Mla, rounds: false);
        yield return RopeStoreKv(shape, tokens, isInterleaved: false, rounds: true);
        yield return GatherKv(shape, model.MixedRows);
    }

    public static SelfTestCheck RopeStoreKv(AttentionShape shape, int tokens, bool isInterleaved, bool rounds) => new(
        nameof(IAttentionKernels.RopeStoreKv),
        $"{tokens} tokens, {shape}{(isInterleaved ? ", interleaved" : "")}{(rounds ? ", inputs rounded" : "")}",
        lane =>
        {
            AttentionSpec spec = shape.Spec;
            bool isLatent = spec.Kind == AttentionKind.Mla;
            int heads = spec.NumQoHeads, kvHeads = isLatent ? 1 : spec.NumKvHeads, dim = isLatent ? spec.QkRopeHeadDim : spec.HeadDim;
            int valueDim = isLatent ? spec.KvLoraRank : spec.VHeadDim, blocks = ((tokens + shape.BlockSize - 1) / shape.BlockSize) + 2;
            var layout = new ReferenceCacheLayout(shape.Layout, spec.KvDType, blocks, shape.BlockSize, kvHeads, isLatent ? dim + valueDim : dim, valueDim);
            HostTensor q = lane.Draw(tokens, heads, dim), k = lane.Draw(tokens, kvHeads, dim), v = lane.Draw(tokens, kvHeads, valueDim);
            int[] positions = [.. Enumerable.Range(0, tokens).Select(_ => lane.Random.Next(0, NumPositions))];
            int[] order = lane.Random.Permutation(blocks * shape.BlockSize);
            long[] slots = [.. Enumerable.Range(0, tokens).Select(t => t == tokens / 2 ? -1L : order[t])];
            float[] scales = spec.HasKvScales ? [0.7f] : [];
            (HostTensor cosSin, RopeTable rope) = Table(lane, dim, isInterleaved);
            HostTensor poisonedKey = HostTensor.Poisoned(spec.KvDType, layout.KeyShape);
            HostTensor? poisonedValue = isLatent ? null : HostTensor.Poisoned(spec.KvDType, layout.ValueShape);
            TensorView query = lane.UploadStrided(q, QueryHeadGap), key = lane.Upload(k), value = lane.Upload(v);
            var wholeQuery = new TensorView(query.Buffer, query.ByteOffset, query.DType, tokens, heads, dim + QueryHeadGap);
            var args = new RopeStoreKvArgs
            {
                Query = query,
                Key = key,
                Value = value,
                Rope = rope,
                Positions = lane.Upload(positions),
                SlotMapping = lane.Upload(HostTensor.Of(slots, tokens)),
                Cache = new KvCacheView
                {
                    Layout = shape.Layout,
                    BlockSize = shape.BlockSize,
                    Key = lane.Upload(poisonedKey),
                    Value = poisonedValue is null ? default : lane.Upload(poisonedValue),
                    KeyScales = scales.Length == 0 ? default : lane.Upload(scales),
                    ValueScales = scales.Length == 0 || isLatent ? default : lane.Upload(scales),
                },
                RoundsInputs = rounds,
            };
            return new PreparedCheck(c => c.Device.AttentionKernels.RopeStoreKv(c, args), () =>
            {
                HostTensor keys = lane.Download(args.Cache.Key), values = isLatent ? keys : lane.Download(args.Cache.Value);
                HostTensor rotated = lane.Download(wholeQuery), newKeys = lane.Download(key), newValues = lane.Download(value);
                double scale = scales.Length == 0 ? 1 : scales[0];
                var stored = new StoredElements(lane.Activation, spec.KvDType, scale);
                ErrorMeter meter = ErrorMeter.Of(lane.Activation);
                for (int t = 0; t < tokens; t++)
                {
                    for (int h = 0; h < heads; h++)
                    {
                        double[] head = Rotated(q, t, heads, h, dim, cosSin, positions[t], isInterleaved);
                        meter.Add(head, rotated.Read(((t * (long)heads) + h) * (dim + QueryHeadGap), dim));
                    }

                    for (int h = 0; h < kvHeads; h++)
                    {
                        double[] head = Rotated(k, t, kvHeads, h, dim, cosSin, positions[t], isInterleaved);
                        double[] own = v.Read(((t * (long)kvHeads) + h) * valueDim, valueDim);
                        double[] newHead = newKeys.Read(((t * (long)kvHeads) + h) * dim, dim), newOwn = newValues.Read(((t * (long)kvHeads) + h) * valueDim, valueDim);
                        if (slots[t] < 0 || !rounds)
                        {
                            meter.Add(head, newHead);
                            meter.Add(own, newOwn);
                        }

                        if (slots[t] < 0) continue;
                        for (int c = 0; c < dim; c++) stored.Add(keys, layout.Key(slots[t], h, isLatent ? valueDim + c : c), head[c], rounds ? newHead[c] : null);
                        for (int c = 0; c < valueDim; c++)
                            stored.Add(values, isLatent ? layout.Key(slots[t], 0, c) : layout.Value(slots[t], h, c), own[c], rounds ? newOwn[c] : null);
                    }
                }

                meter.Require(stored.OthersKept(keys, poisonedKey) && (isLatent || stored.OthersKept(values, poisonedValue!)));
                return Math.Max(meter.Worst(), stored.Worst);
            }, (2L * q.Bytes.Length) + (2L * k.Bytes.Length) + v.Bytes.Length + (tokens * ((kvHeads * (long)(dim + valueDim) * spec.KvDType.ByteSize()) + (dim * 4L))));
        });

    public static SelfTestCheck GatherKv(AttentionShape shape, IReadOnlyList<PagedRow> rows) => new(
        nameof(IAttentionKernels.GatherKv), $"{rows.Sum(row => row.SeqLen)} tokens, {shape}", lane =>
        {
            bool isLatent = shape.Spec.Kind == AttentionKind.Mla;
            AttentionShape stored = isLatent ? shape.Absorbed : shape with { Spec = shape.Spec with { SlidingWindow = null } };
            int heads = stored.Spec.NumKvHeads, dim = stored.Spec.HeadDim, valueDim = stored.Spec.VHeadDim;
            var cache = new PagedCache(lane, stored, rows);
            int[] first = [.. rows.Select(row => Math.Min(row.PrefixLen, lane.Random.Next(0, 9)))], offsets = new int[rows.Count + 1];
            for (int r = 0; r < rows.Count; r++) offsets[r + 1] = offsets[r] + rows[r].SeqLen - first[r];
            int total = offsets[^1];
            TensorView key = lane.Poison(lane.Activation, total + 2, heads, dim), value = isLatent ? default : lane.Poison(lane.Activation, total + 2, heads, valueDim);
            var args = new GatherKvArgs
            {
                Cache = cache.View,
                BlockTable = cache.BlockTable,
                CuSeqlensK = lane.Upload(offsets),
                KeyPositions = lane.Upload(first),
                NumRows = rows.Count,
                Key = key,
                Value = value,
            };
            return new PreparedCheck(c => c.Device.AttentionKernels.GatherKv(c, args), () =>
            {
                HostTensor keys = lane.Download(key);
                HostTensor? values = isLatent ? null : lane.Download(value);
                ErrorMeter meter = ErrorMeter.Of(lane.Activation);
                double[] k = new double[dim], v = new double[valueDim];
                for (int r = 0; r < rows.Count; r++)
                {
                    for (int at = offsets[r]; at < offsets[r + 1]; at++)
                    {
                        for (int h = 0; h < heads; h++)
                        {
                            int position = first[r] + at - offsets[r];
                            cache.ReadKey(r, position, h, k);
                            meter.Add(k, keys.Read(((at * (long)heads) + h) * dim, dim));
                            if (values is null) continue;
                            cache.ReadValue(r, position, h, v);
                            meter.Add(v, values.Read(((at * (long)heads) + h) * valueDim, valueDim));
                        }
                    }
                }

                for (long i = total * (long)heads * dim; i < keys.Count; i++) meter.Require(double.IsNaN(keys[i]));
                return meter.Worst();
            }, total * (cache.BytesPerToken + (heads * (long)(dim + (isLatent ? 0 : valueDim)) * lane.Activation.ByteSize())));
        });

    private static double[] Rotated(HostTensor x, int token, int heads, int head, int dim, HostTensor cosSin, int position, bool isInterleaved)
    {
        double[] values = x.Read(((token * (long)heads) + head) * dim, dim);
        if (dim > 0) ReferenceDense.Rotate(values, cosSin.Read(position * (long)dim, dim), isInterleaved);
        return values;
    }

    private static (HostTensor CosSin, RopeTable Table) Table(SelfTestLane lane, int rotary, bool isInterleaved)
    {
        var table = new HostTensor(DType.F32, NumPositions, rotary);
        for (int p = 0; p < NumPositions; p++)
        {
            for (int i = 0; i < rotary / 2; i++)
            {
                double angle = p * Math.Pow(10000, -2.0 * i / rotary);
                (table[(p * rotary) + i], table[(p * rotary) + (rotary / 2) + i]) = (Math.Cos(angle), Math.Sin(angle));
            }
        }

        DeviceBuffer buffer = lane.Device.Allocate(table.Bytes.Length);
        RopeTable rope = lane.Own(new RopeTable(buffer, NumPositions, rotary, isInterleaved));
        lane.Context.Upload<byte>(table.Bytes, buffer.View(DType.U8, table.Bytes.Length));
        return (table, rope);
    }
}
