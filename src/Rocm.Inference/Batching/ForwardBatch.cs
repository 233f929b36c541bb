using System.Diagnostics.CodeAnalysis;

namespace Rocm.Inference;

/// <summary>
/// One step as tensors: the place where every metadata field of a step is defined. Built by the engine, read-only for models and
/// backends, valid until the next step. T = <see cref="NumTokens"/>, R = <see cref="NumRows"/>, L = <see cref="NumLogitRows"/>.
/// </summary>
[Experimental("ROCM0001")]
public sealed class ForwardBatch
{
    private readonly ForwardBatchGroup[] _groups;

    internal ForwardBatch(int numGroups, int maxNumRows)
    {
        _groups = new ForwardBatchGroup[numGroups];
        for (int i = 0; i < numGroups; i++) _groups[i] = new ForwardBatchGroup();
        HostCuSeqlensQ = new int[maxNumRows + 1];
        HostSeqLens = new int[maxNumRows];
    }

    /// <summary>T: tokens computed in this step.</summary>
    public int NumTokens { get; internal set; }

    /// <summary>R: rows of the batch, one per request.</summary>
    public int NumRows { get; internal set; }

    /// <summary>L: positions whose logits are wanted.</summary>
    public int NumLogitRows { get; internal set; }

    /// <summary>Leading rows with few new tokens (at most the executor's threshold) on top of a cached context, when the order is <see cref="BatchOrder.DecodeExtendPrefill"/>.</summary>
    public int NumDecodes { get; internal set; }

    /// <summary>Rows after the decodes that have a cached context, when the order is <see cref="BatchOrder.DecodeExtendPrefill"/>.</summary>
    public int NumExtends { get; internal set; }

    /// <summary>Largest number of new tokens of a row.</summary>
    public int MaxQueryLen { get; internal set; }

    /// <summary>Upper bound of the sequence lengths; never rely on equality.</summary>
    public int MaxSeqLen { get; internal set; }

    /// <summary>[T] i32 token ids.</summary>
    public TensorView InputIds { get; internal set; }

    /// <summary>[T] i32 absolute positions.</summary>
    public TensorView Positions { get; internal set; }

    /// <summary>[R + 1] i32: row r owns tokens [CuSeqlensQ[r], CuSeqlensQ[r + 1]).</summary>
    public TensorView CuSeqlensQ { get; internal set; }

    /// <summary>[R] i32: length including this step's tokens; prefix length = SeqLens[r] − query length.</summary>
    public TensorView SeqLens { get; internal set; }

    /// <summary>[L] i32: indices of tokens, in [0, T), whose logits are wanted.</summary>
    public TensorView LogitRows { get; internal set; }

    /// <summary>[R + 1]: <see cref="CuSeqlensQ"/> on the host, for planning.</summary>
    public ReadOnlySpan<int> CuSeqlensQHost => HostCuSeqlensQ.AsSpan(0, NumRows + 1);

    /// <summary>[R]: <see cref="SeqLens"/> on the host, for planning.</summary>
    public ReadOnlySpan<int> SeqLensHost => HostSeqLens.AsSpan(0, NumRows);

    /// <summary>Per layer group: where its tokens are cached.</summary>
    public IReadOnlyList<ForwardBatchGroup> Groups => _groups;

    internal ReadOnlySpan<ForwardBatchGroup> HostGroups => _groups;

    /// <summary>
    /// True for a step that a device may replay with other rows and lengths: nothing may be decided from the host's lengths but from
    /// <see cref="NumRows"/>, <see cref="MaxQueryLen"/> and <see cref="MaxSeqLen"/>.
    /// </summary>
    internal bool HasFixedBounds { get; set; }

    internal int[] HostCuSeqlensQ { get; }

    internal int[] HostSeqLens { get; }
}

/// <summary>Where one layer group's tokens of a step are cached.</summary>
[Experimental("ROCM0001")]
public sealed class ForwardBatchGroup
{
    internal ForwardBatchGroup()
    {
    }

    /// <summary>[T] i64: block · block size + offset of each new token; −1 = padding, do not write.</summary>
    public TensorView SlotMapping { get; internal set; }

    /// <summary>
    /// [R, most blocks of a row] i32 block ids. Block 0 is the null block and stands for blocks that slid out of the window; entries past a row's last
    /// block are undefined.
    /// </summary>
    public TensorView BlockTable { get; internal set; }
}
