namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>One causal prompt; a latent group's keys have their rotary part apart.</summary>
internal sealed class FlashVarlenTrial : AiterTrial
{
    private readonly TensorView _query, _queryRope, _key, _keyRope, _value, _output, _offsets;

    public FlashVarlenTrial(IDevice gpu, AttentionSpec spec, int maxLength)
        : base(gpu, spec)
    {
        bool isLatent = spec.Kind == AttentionKind.Mla;
        int dim = isLatent ? spec.QkNopeHeadDim : spec.HeadDim;
        _query = Make(DType.BF16, maxLength, spec.NumQoHeads, dim);
        _key = Make(DType.BF16, maxLength, spec.NumKvHeads, dim);
        _value = Make(DType.BF16, maxLength, spec.NumKvHeads, spec.VHeadDim);
        _output = Make(DType.BF16, maxLength, spec.NumQoHeads, spec.VHeadDim);
        _offsets = Make(DType.I32, 2);
        if (!isLatent || spec.QkRopeHeadDim == 0) return;
        _queryRope = Make(DType.BF16, maxLength, spec.NumQoHeads, spec.QkRopeHeadDim);
        _keyRope = Make(DType.BF16, maxLength, 1, spec.QkRopeHeadDim);
    }

    public override long ScratchBytes(IAttentionKernels kernels, int rows, int length) =>
        kernels.FlashVarlenScratchBytes(Spec, new BatchLimits(length, 1, length), length);

    public override void Prepare(DeviceContext context, int rows, int length) => context.Upload<int>([0, length], _offsets);

    public override void Run(IAttentionKernels kernels, DeviceContext context, int rows, int length) => kernels.FlashVarlen(context, new FlashVarlenArgs
    {
        Spec = Spec,
        Query = _query.Slice(0, 0, length),
        QueryRope = _queryRope.IsAbsent ? default : _queryRope.Slice(0, 0, length),
        Key = _key.Slice(0, 0, length),
        KeyRope = _keyRope.IsAbsent ? default : _keyRope.Slice(0, 0, length),
        Value = _value.Slice(0, 0, length),
        CuSeqlensQ = _offsets,
        CuSeqlensK = _offsets,
        NumRows = 1,
        MaxQueryLen = length,
        MaxKeyLen = length,
        Causal = true,
        Output = _output.Slice(0, 0, length),
    });
}
