namespace Rocm.Inference.Attention.Backends;

/// <summary>Sums up tensors as the arena lays them out: each starts at a multiple of 64 bytes.</summary>
internal struct ScratchSize
{
    private const int Alignment = 64;

    public long Bytes { get; private set; }

    public void Add(int elementBytes, long rows, long columns) =>
        Bytes = checked(Bytes + (((rows * columns * elementBytes) + (2 * Alignment) - 1) & ~(long)(Alignment - 1)));
}
