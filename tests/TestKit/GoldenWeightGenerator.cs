using System.Text;

namespace Rocm.Inference.TestKit;

/// <summary>
/// The counter-based generator of golden weights, bit for bit as tests/tools/goldens/make_model_goldens.py has it, so that checkpoints
/// need not be stored.
/// </summary>
internal static class GoldenWeightGenerator
{
    public static float[] Generate(GoldenTensor tensor, ulong seed)
    {
        var key = HashOf(tensor.Name) ^ seed;
        var values = new float[tensor.ElementCount];
        for (var i = 0; i < values.Length; i++)
        {
            var bits = Mix(key + ((ulong)(i + 1) * 0x9E3779B97F4A7C15)) >> 40;
            var unit = (bits / 16777216.0 * 2.0) - 1.0;
            values[i] = (float)(tensor.Offset + (unit * tensor.Scale));
        }

        return values;
    }

    /// <summary>Rounds to bf16, to nearest with ties to even; the values are finite.</summary>
    public static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    // FNV-1a.
    private static ulong HashOf(string name)
    {
        var hash = 0xCBF29CE484222325UL;
        foreach (var value in Encoding.UTF8.GetBytes(name))
            hash = (hash ^ value) * 0x100000001B3;
        return hash;
    }

    // The finaliser of splitmix64.
    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
