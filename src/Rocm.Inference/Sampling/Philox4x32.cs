namespace Rocm.Inference.Sampling;

/// <summary>
/// Philox 4×32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four random words as a pure function
/// of a counter and a key, hence the same on every device, in every batch, at every attempt.
/// </summary>
internal static class Philox4x32
{
    private const uint Multiplier0 = 0xD2511F53;
    private const uint Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9;
    private const uint Weyl1 = 0xBB67AE85;
    private const int NumRounds = 10;

    /// <summary>The four words of a counter (c0 lowest) under a key.</summary>
    public static (uint R0, uint R1, uint R2, uint R3) Next(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < NumRounds; round++)
        {
            ulong product0 = (ulong)Multiplier0 * c0;
            ulong product1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(product1 >> 32) ^ c1 ^ k0, (uint)product1, (uint)(product0 >> 32) ^ c3 ^ k1, (uint)product0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>
    /// The number in [0, 1) that draws the token at a place of a sequence: the first 53 bits of the words at that counter.
    /// </summary>
    /// <param name="seed">Key.</param>
    /// <param name="position">Counter.</param>
    public static double Uniform(ulong seed, long position)
    {
        (uint r0, uint r1, _, _) = Next((uint)position, (uint)((ulong)position >> 32), 0, 0, (uint)seed, (uint)(seed >> 32));
        return ((((ulong)r1 << 32) | r0) >> 11) * (1.0 / (1UL << 53));
    }
}
