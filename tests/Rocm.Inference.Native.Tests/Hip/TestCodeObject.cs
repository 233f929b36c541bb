namespace Rocm.Inference.Native.Tests.Hip;

/// <summary>Bytes with the header of a code object.</summary>
internal static class TestCodeObject
{
    internal const byte Gfx1100 = 0x41;
    internal const byte Gfx942 = 0x4c;

    /// <param name="machine">The architecture's number in the ELF flags.</param>
    /// <param name="abi">ABI version: 2 is format 4.</param>
    internal static byte[] Make(byte machine = Gfx1100, byte abi = 2)
    {
        byte[] image = new byte[128];
        "\u007fELF\u0002\u0001\u0001\u0040"u8.CopyTo(image);
        (image[8], image[18], image[48]) = (abi, 224, machine);
        return image;
    }
}
