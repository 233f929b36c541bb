using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Experts with made-up operands, to be timed as a layer runs them, tokens spread evenly over all experts.</summary>
internal sealed class ExpertsTrial : IDisposable
{
    private readonly HipGpu _gpu;
    private readonly AiterFusedExpertsOp _op;
    private readonly int _maxTokens;
    private readonly List<IDisposable> _owned = [];
    private readonly HipPackedWeightGroup _gateUp, _down;
    private readonly TensorView _x, _y, _experts, _weights;

    public ExpertsTrial(HipGpu gpu, AiterFusedExpertsOp op, int maxTokens)
    {
        (_gpu, _op, _maxTokens) = (gpu, op, maxTokens);
        try
        {
            _gateUp = Pack(op.GateUp);
            _down = Pack(op.Down);
            _x = Make(DType.BF16, maxTokens, op.Shape.Width);
            _y = Make(DType.BF16, maxTokens, op.Shape.Width);
            _experts = Make(DType.I32, maxTokens, op.Shape.Choices);
            _weights = Make(DType.F32, maxTokens, op.Shape.Choices);
            using DeviceContext context = gpu.CreateContext(0);
            context.Upload<int>([.. Enumerable.Range(0, maxTokens * op.Shape.Choices).Select(assignment => assignment % op.Shape.Experts)], _experts);
            context.Synchronize();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Scratch memory that is enough for the largest step, either way.</summary>
    public long ScratchBytes
    {
        get
        {
            const long AlignmentOfAll = 8 * 64;
            AiterFusedExpertsShape shape = _op.Shape;
            long assignments = (long)_maxTokens * shape.Choices, tables = (shape.Experts + 1 + (2 * assignments)) * sizeof(int);
            long apart = tables + (assignments * ((3L * shape.Inner) + shape.Width) * sizeof(ushort));
            return AlignmentOfAll + Math.Max(apart, ((long)_maxTokens * shape.Width * sizeof(ushort)) + _op.ScratchBytes(_maxTokens));
        }
    }

    /// <summary>Enqueues a step by AITER's kernel.</summary>
    public void RunFused(DeviceContext context, int tokens)
    {
        long mark = context.Mark();
        TensorView routed = context.Scratch(DType.BF16, tokens, _op.Shape.Width);
        _op.Run(context, Rows(_x, tokens), _gateUp, _down, Rows(_experts, tokens), Rows(_weights, tokens), routed);
        _gpu.Kernels.Add(context, routed, Rows(_y, tokens));
        context.Release(mark);
    }

    /// <summary>Enqueues a step by this library's kernels.</summary>
    public void RunApart(DeviceContext context, int tokens)
    {
        long mark = context.Mark(), count = (long)tokens * _op.Shape.Choices;
        IKernels kernels = _gpu.Kernels;
        TensorView offsets = context.Scratch(DType.I32, _op.Shape.Experts + 1L), order = context.Scratch(DType.I32, count), places = context.Scratch(DType.I32, count);
        TensorView both = context.Scratch(DType.BF16, count, 2L * _op.Shape.Inner), gated = context.Scratch(DType.BF16, count, _op.Shape.Inner);
        TensorView routed = context.Scratch(DType.BF16, count, _op.Shape.Width);
        kernels.SortByExpert(context, Rows(_experts, tokens), offsets, order, places);
        kernels.GroupedLinear(context, Rows(_x, tokens), _gateUp, offsets, order, _op.Shape.Choices, both);
        kernels.GatedActivation(context, both, ActivationKind.Silu, gated);
        kernels.GroupedLinear(context, gated, _down, offsets, order: default, topK: 1, routed);
        kernels.CombineExperts(context, routed, places, Rows(_weights, tokens), Rows(_y, tokens), accumulate: true);
        context.Release(mark);
    }

    public void Dispose()
    {
        foreach (IDisposable owned in _owned) owned.Dispose();
        _owned.Clear();
    }

    private static TensorView Rows(TensorView view, int tokens) => view.Slice(0, 0, tokens);

    private HipPackedWeightGroup Pack(in HipWeightLayout layout)
    {
        var group = new HipPackedWeightGroup(layout, _gpu.Allocate(layout.SizeBytes));
        _owned.Add(group);
        return group;
    }

    // Zeros.
    private TensorView Make(DType dtype, long rows, long columns)
    {
        DeviceBuffer buffer = _gpu.Allocate(rows * columns * dtype.ByteSize());
        _owned.Add(buffer);
        return new TensorView(buffer, 0, dtype, rows, columns);
    }
}
