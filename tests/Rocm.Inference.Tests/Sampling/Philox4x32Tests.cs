using Rocm.Inference.Sampling;
using Xunit;

namespace Rocm.Inference.Tests.Sampling;

public sealed class Philox4x32Tests
{
    // Known answers of Random123's kat_vectors for philox 4x32 with 10 rounds: counter, key, result.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(
        0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(
        0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Words_equal_the_published_vectors(
        uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint r0, uint r1, uint r2, uint r3) =>
        Assert.Equal((r0, r1, r2, r3), Philox4x32.Next(c0, c1, c2, c3, k0, k1));

    [Fact]
    public void Uniform_numbers_lie_in_the_unit_interval_and_differ_by_seed_and_position()
    {
        var seen = new HashSet<double>();
        for (ulong seed = 0; seed < 20; seed++)
        {
            for (long position = 0; position < 500; position++)
            {
                double value = Philox4x32.Uniform(seed, position);
                Assert.InRange(value, 0, 1 - 1e-16);
                seen.Add(value);
            }
        }

        Assert.Equal(10_000, seen.Count);
        Assert.InRange(seen.Average(), 0.49, 0.51);
    }
}
