namespace Rocm.Inference.Tokenization;

/// <summary>Working memory of one encoding; one thread at a time.</summary>
internal sealed class EncodeScratch(MergeTable merges)
{
    // What a large text has needed is not kept for ever.
    private const int KeptElements = 1 << 20;

    public IdBuilder Ids { get; } = new();

    public ByteBuilder Text { get; } = new();

    public ByteBuilder Normalized { get; } = new();

    public ByteBuilder Unmapped { get; } = new();

    public PieceList First { get; } = new();

    public PieceList Second { get; } = new();

    public BpeMerger Merger { get; } = new(merges);

    public long Steps { get; set; }

    public bool IsSmall =>
        Ids.Capacity <= KeptElements && Text.Capacity <= KeptElements && Normalized.Capacity <= KeptElements
        && First.Text.Capacity <= KeptElements && Second.Text.Capacity <= KeptElements && First.Capacity <= KeptElements
        && Second.Capacity <= KeptElements && Merger.Capacity <= KeptElements;
}
