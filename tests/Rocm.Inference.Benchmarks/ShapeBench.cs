using System.Globalization;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>
/// All kernels of a step of a Llama of 1.1B shape with random weights, without engine, scheduler, sampler or tokenizer: what llama-bench -p 512 and
/// llama-batched-bench measure of their kernels.
/// </summary>
internal sealed class ShapeBench : IDisposable
{
    private const int Hidden = 2048, Layers = 22, Heads = 32, KvHeads = 4, Dim = 64, Ffn = 5632, Vocabulary = 32000, BlockSize = 16, MaxLen = 1024;
    private readonly IDevice _device;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly List<PackedWeight> _weights = [];
    private readonly KvCacheView[] _caches;
    private readonly RopeTable _rope;
    private readonly TensorView _norm;
    private readonly int _maxRows;

    private ShapeBench(IDevice device, int maxRows)
    {
        _device = device;
        _maxRows = maxRows;
        for (int l = 0; l < Layers; l++)
        {
            _weights.Add(BenchWeights.Pack(device, (Heads + (2 * KvHeads)) * Dim, Hidden));
            _weights.Add(BenchWeights.Pack(device, Hidden, Heads * Dim));
            _weights.Add(BenchWeights.Pack(device, 2 * Ffn, Hidden));
            _weights.Add(BenchWeights.Pack(device, Hidden, Ffn));
        }

        _weights.Add(BenchWeights.Pack(device, Vocabulary, Hidden));
        _caches = [.. Enumerable.Range(0, Layers).Select(_ => AttentionStep.Cache(device, _buffers, maxRows * MaxLen / BlockSize, BlockSize, KvHeads, Dim))];
        _norm = BenchWeights.Floats(device, _buffers, Hidden);
        DeviceBuffer table = device.Allocate((long)MaxLen * Dim * sizeof(float));
        _rope = new RopeTable(table, MaxLen, Dim);
        _rope.CosSin.AsSpan<float>().Fill(0.7f);
    }

    public static void Run(BenchOptions options)
    {
        using IDevice device = options.CreateDevice();
        using var bench = new ShapeBench(device, 16);
        double weights = bench._weights.Sum(w => (double)w.SizeBytes);
        foreach ((int rows, int queryLen, int seqLen) in new[] { (1, 1, 64), (4, 1, 64), (16, 1, 64), (1, 512, 512) })
        {
            double bandwidth = LimitsBench.ReadGigabytes(options with { Repetitions = 3 });
            Action step = bench.Step(rows, queryLen, seqLen);
            (double median, double best) = options.Time(step, 0.01);
            double processor = ProcessorSeconds(step, options.Repetitions);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{rows} x {queryLen} tokens on {seqLen}, {options.Threads} threads: {rows * queryLen / median:F1} tokens/s (best {rows * queryLen / best:F1}), {rows * queryLen / processor:F1} per processor second; weights at {weights * 1e-9 / median:F1} GB/s, memory read at {bandwidth:F1}"));
        }
    }

    public void Dispose()
    {
        foreach (PackedWeight weight in _weights) weight.Dispose();
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _rope.Dispose();
    }

    // On a busy machine the time on processors is steadier than the time on the clock.
    private static double ProcessorSeconds(Action step, int repetitions)
    {
        TimeSpan before = Environment.CpuUsage.TotalTime;
        for (int i = 0; i < repetitions; i++) step();
        return (Environment.CpuUsage.TotalTime - before).TotalSeconds / repetitions;
    }

    private Action Step(int rows, int queryLen, int seqLen)
    {
        int tokens = rows * queryLen, blocks = MaxLen / BlockSize;
        TensorView hidden = Floats(tokens, Hidden), normed = Floats(tokens, Hidden), qkv = Floats(tokens, (Heads + (2 * KvHeads)) * Dim);
        TensorView gateUp = Floats(tokens, 2 * Ffn), act = Floats(tokens, Ffn), last = Floats(rows, Hidden), logits = Floats(rows, Vocabulary), output = Floats(tokens, Heads, Dim);
        TensorView positions = Ints([.. Enumerable.Range(0, tokens).Select(t => seqLen - queryLen + (t % queryLen))]);
        DeviceBuffer slotBuffer = _device.Allocate(tokens * sizeof(long));
        _buffers.Add(slotBuffer);
        TensorView slots = slotBuffer.View(DType.I64, tokens);
        for (int t = 0; t < tokens; t++) slots.AsSpan<long>()[t] = ((long)(t / queryLen) * MaxLen) + seqLen - queryLen + (t % queryLen);
        TensorView offsets = Ints([.. Enumerable.Range(0, rows + 1).Select(r => r * queryLen)]), lengths = Ints([.. Enumerable.Repeat(seqLen, rows)]);
        TensorView lastRows = Ints([.. Enumerable.Range(1, rows).Select(r => (r * queryLen) - 1)]);
        TensorView table = Ints([.. Enumerable.Range(0, _maxRows * blocks)]).Reshape(_maxRows, blocks);
        var spec = new AttentionSpec { NumQoHeads = Heads, NumKvHeads = KvHeads, HeadDim = Dim, VHeadDim = Dim, SoftmaxScale = 0.125f, MaxSeqLen = MaxLen };
        DeviceContext context = _device.CreateContext(_device.AttentionKernels.UnifiedAttentionScratchBytes(spec, new BatchLimits(tokens, rows, MaxLen)));
        TensorView q = qkv.Slice(1, 0, Heads * Dim).SplitLast(Dim), k = qkv.Slice(1, Heads * Dim, KvHeads * Dim).SplitLast(Dim);
        TensorView v = qkv.Slice(1, (Heads + KvHeads) * Dim, KvHeads * Dim).SplitLast(Dim);
        return () =>
        {
            IKernels kernels = _device.Kernels;
            Span<float> start = hidden.AsSpan<float>();
            for (int i = 0; i < start.Length; i++) start[i] = 0.01f * (i % 17);
            for (int l = 0; l < Layers; l++)
            {
                kernels.RmsNorm(context, hidden, _norm, 1e-5f, 0, normed);
                kernels.Linear(context, normed, _weights[4 * l], qkv);
                _device.AttentionKernels.RopeStoreKv(context, new RopeStoreKvArgs { Query = q, Key = k, Value = v, Rope = _rope, Positions = positions, SlotMapping = slots, Cache = _caches[l] });
                _device.AttentionKernels.UnifiedAttention(context, new PagedAttentionArgs
                {
                    Spec = spec, Query = q, Cache = _caches[l], CuSeqlensQ = offsets, SeqLens = lengths, BlockTable = table, NumRows = rows, MaxQueryLen = queryLen, MaxSeqLen = seqLen, Output = output,
                });
                kernels.Linear(context, output.Reshape(tokens, Heads * Dim), _weights[(4 * l) + 1], hidden, accumulate: true);
                kernels.RmsNorm(context, hidden, _norm, 1e-5f, 0, normed);
                kernels.Linear(context, normed, _weights[(4 * l) + 2], gateUp);
                kernels.GatedActivation(context, gateUp, ActivationKind.Silu, act);
                kernels.Linear(context, act, _weights[(4 * l) + 3], hidden, accumulate: true);
            }

            kernels.GatherRows(context, hidden, lastRows, last);
            kernels.RmsNorm(context, last, _norm, 1e-5f, 0, last);
            kernels.Linear(context, last, _weights[^1], logits);
        };
    }

    private TensorView Floats(params ReadOnlySpan<long> shape) => BenchWeights.Floats(_device, _buffers, shape);

    private TensorView Ints(int[] values)
    {
        DeviceBuffer buffer = _device.Allocate(values.Length * sizeof(int));
        _buffers.Add(buffer);
        TensorView view = buffer.View(DType.I32, values.Length);
        values.CopyTo(view.AsSpan<int>());
        return view;
    }
}
