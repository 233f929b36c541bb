using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Hip;

public sealed class HipVersionTests
{
    [Theory]
    [InlineData(50221153, "5.2.21153")]
    [InlineData(60241134, "6.2.41134")]
    [InlineData(71025424, "7.10.25424")]
    [InlineData(0, "0.0")]
    [InlineData(-1, "0.0")]
    public void A_version_number_is_decoded(int number, string expected) =>
        Assert.Equal(Version.Parse(expected), HipDeviceQuery.ToVersion(number));
}
