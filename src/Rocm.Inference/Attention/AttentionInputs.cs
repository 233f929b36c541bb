using System.Diagnostics.CodeAnalysis;

namespace Rocm.Inference;

/// <summary>Operands of one layer's attention, before rotation. T = tokens of the step.</summary>
[Experimental("ROCM0001")]
public readonly struct AttentionInputs
{
    /// <summary>Mha: q [T, NumQoHeads, HeadDim]. Mla: q_nope [T, NumQoHeads, QkNopeHeadDim].</summary>
    public required TensorView Query { get; init; }

    /// <summary>Mha: k [T, NumKvHeads, HeadDim]. Mla: c_kv [T, 1, KvLoraRank], normalised.</summary>
    public required TensorView Key { get; init; }

    /// <summary>Mha: v [T, NumKvHeads, VHeadDim]. Absent for Mla.</summary>
    public TensorView Value { get; init; }

    /// <summary>Mla: q_pe [T, NumQoHeads, QkRopeHeadDim]. Absent for Mha.</summary>
    public TensorView QueryRope { get; init; }

    /// <summary>Mla: k_pe [T, 1, QkRopeHeadDim]. Absent for Mha.</summary>
    public TensorView KeyRope { get; init; }
}
