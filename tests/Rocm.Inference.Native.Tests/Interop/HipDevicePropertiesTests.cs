using System.Text;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Tests.Interop;

public sealed class HipDevicePropertiesTests
{
    [Theory]
    [InlineData("gfx942:sramecc+:xnack-")]
    [InlineData("gfx90a")]
    [InlineData("gfx1100")]
    [InlineData("gfx9-4-generic")]
    public void An_architecture_is_read_whole(string name) => Assert.Equal(name, Read(name));

    [Theory]
    [InlineData("")]
    [InlineData("gfx")]
    [InlineData("gfx90z")]
    [InlineData("GFX900")]
    [InlineData("gfx900:\u0001")]
    [InlineData("gfx90000000000000000")]
    [InlineData("AMD Radeon")]
    public void What_is_no_architecture_is_not_believed(string name) => Assert.Null(Read(name));

    [Fact]
    public void A_name_that_never_ends_is_not_believed()
    {
        byte[] properties = new byte[HipDeviceProperties.BufferBytes];
        Array.Fill(properties, (byte)'g');
        Assert.Null(HipDeviceProperties.ReadArchitecture(properties, HipDeviceProperties.ArchitectureOffsetR0600));
    }

    private static string? Read(string name)
    {
        byte[] properties = new byte[HipDeviceProperties.BufferBytes];
        Encoding.ASCII.GetBytes(name).CopyTo(properties, HipDeviceProperties.ArchitectureOffsetR0600);
        return HipDeviceProperties.ReadArchitecture(properties, HipDeviceProperties.ArchitectureOffsetR0600);
    }
}
