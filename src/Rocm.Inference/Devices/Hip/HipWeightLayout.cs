namespace Rocm.Inference.Devices.Hip;

/// <summary>How a GPU keeps the elements of a weight; the value is the bits of one.</summary>
internal enum HipWeightFormat
{
    /// <summary>MXFP4, with an exponent for 32 columns.</summary>
    F4E2M1 = 4,

    /// <summary>An 8-bit float of any kind, with an f32 scale for 128 columns.</summary>
    F8 = 8,

    /// <summary>bf16.</summary>
    BF16 = 16,
}

/// <summary>
/// Where everything of one or more weights of one shape lies in one buffer: elements of all members, [N, K padded by zeros to 64] each, then their
/// scales, then their biases. Sections begin at multiples of 256 bytes.
/// <para>
/// Shuffled weights are as AITER's kernels read them, and this library's have instances for them: elements E4M3 FNUZ [N / 16, K / 16, 16, 16] (AITER's binary
/// interface, section 8.3), scales f32 [N / 128, K / 128] of each member, zeros where a single weight has no bias, and behind elements and scales memory that may be
/// read.
/// </para>
/// </summary>
internal readonly record struct HipWeightLayout
{
    private const int ColumnAlignment = 64;
    private const long SectionAlignment = 256;

    // AITER's kernels load ahead of what they use by no more than this.
    private const long ReadableBehindElements = 64 << 10;
    private const long ReadableBehindScales = 16 << 10;

    private HipWeightLayout(HipWeightFormat format, DType dtype, int count, int outputFeatures, int inputFeatures, bool hasBias)
    {
        Format = format;
        DType = dtype;
        Count = count;
        OutputFeatures = outputFeatures;
        InputFeatures = inputFeatures;
        HasBias = hasBias;
    }

    public HipWeightFormat Format { get; }

    /// <summary>Element type; of 8-bit floats the kind.</summary>
    public DType DType { get; }

    /// <summary>Number of members.</summary>
    public int Count { get; }

    /// <summary>N of each member.</summary>
    public int OutputFeatures { get; }

    /// <summary>K of each member.</summary>
    public int InputFeatures { get; }

    /// <summary>There is a bias, of zeros for a member without.</summary>
    public bool HasBias { get; }

    /// <summary>Elements and scales are in the order of AITER's kernels.</summary>
    public bool IsShuffled { get; private init; }

    /// <summary>Bytes of a row of elements: a multiple of 32.</summary>
    public long RowBytes => (InputFeatures + ColumnAlignment - 1L) / ColumnAlignment * ColumnAlignment * (int)Format / 8;

    public long MemberBytes => OutputFeatures * RowBytes;

    /// <summary>Bytes of a row of scales; 0 without.</summary>
    public long ScaleRowBytes => Format switch
    {
        HipWeightFormat.F8 => (InputFeatures + WeightChecks.Float8ScaleColumns - 1) / WeightChecks.Float8ScaleColumns * (long)sizeof(float),
        HipWeightFormat.F4E2M1 => (InputFeatures + WeightChecks.Float4ScaleColumns - 1) / WeightChecks.Float4ScaleColumns,
        _ => 0,
    };

    /// <summary>Rows of scales of a member.</summary>
    public int ScaleRows => IsShuffled ? OutputFeatures / HipShuffledRows.Block : OutputFeatures;

    public long ScalesOffset => Align(Count * MemberBytes);

    public long BiasOffset => Align(ScalesEnd);

    public long SizeBytes => IsShuffled ? Math.Max(End, Math.Max((Count * MemberBytes) + ReadableBehindElements, ScalesEnd + ReadableBehindScales)) : End;

    // AITER's products read a bias in any case.
    private long End => HasBias || (IsShuffled && Count == 1) ? BiasOffset + ((long)Count * OutputFeatures * sizeof(float)) : ScalesEnd;

    private long ScalesEnd => ScalesOffset + (Count * ScaleRows * ScaleRowBytes);

    /// <exception cref="ArgumentException">Members of different shapes, or a matrix that contradicts itself.</exception>
    /// <exception cref="NotSupportedException">Elements or scales that have no place in it.</exception>
    public static HipWeightLayout Of(ReadOnlySpan<WeightSource> members)
    {
        (int rows, int columns) = WeightChecks.Check(members, "the HIP device");
        DType? dtype = null;
        bool hasBias = false;
        foreach (ref readonly WeightSource member in members)
        {
            hasBias |= member.Bias is not null;
            foreach (ref readonly WeightMatrix part in member.Parts.Span)
            {
                // Wider floats are rounded to the activation type: the matrix units take nothing else.
                DType own = part.DType is DType.F16 or DType.F32 ? DType.BF16 : part.DType;
                dtype ??= own;
                if (dtype != own)
                    throw new NotSupportedException($"'{part.Name}' is {part.DType}, a matrix beside it is {dtype}: pack them apart, or they would be widened in memory.");
            }
        }

        HipWeightFormat format = dtype == DType.BF16 ? HipWeightFormat.BF16 : dtype == DType.F4E2M1 ? HipWeightFormat.F4E2M1 : HipWeightFormat.F8;
        return new HipWeightLayout(format, dtype!.Value, members.Length, rows, columns, hasBias);
    }

    /// <summary>The same weights in the order of AITER's kernels, which <see cref="HipShuffledRows.CanHold"/> must allow.</summary>
    public HipWeightLayout Shuffled() => Shuffled(Count, OutputFeatures, InputFeatures, HasBias);

    /// <summary>Weights in the order of AITER's kernels, N and K multiples of 128.</summary>
    public static HipWeightLayout Shuffled(int count, int outputFeatures, int inputFeatures, bool hasBias) =>
        new(HipWeightFormat.F8, DType.F8E4M3Fnuz, count, outputFeatures, inputFeatures, hasBias) { IsShuffled = true };

    private static long Align(long bytes) => (bytes + SectionAlignment - 1) & ~(SectionAlignment - 1);
}
