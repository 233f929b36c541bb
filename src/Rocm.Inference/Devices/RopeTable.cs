namespace Rocm.Inference.Devices;

/// <summary>
/// cos and sin of every position, made once at load from the model's rope parameters and shared by layers that have the same.
/// Rotation pairs (i, i + RotaryDim/2) of the first RotaryDim elements ("rotate half", the Hugging Face layout);
/// <see cref="Interleaved"/> tables pair (2i, 2i + 1).
/// </summary>
internal sealed class RopeTable : IDisposable
{
    private readonly DeviceBuffer _buffer;

    /// <param name="buffer">[positions, RotaryDim] f32: RotaryDim/2 cosines, then RotaryDim/2 sines, attention factor included. Owned.</param>
    /// <param name="positions">Number of positions.</param>
    /// <param name="rotaryDim">How many leading elements of a head are rotated.</param>
    /// <param name="interleaved">Which elements form a pair.</param>
    public RopeTable(DeviceBuffer buffer, int positions, int rotaryDim, bool interleaved = false)
    {
        _buffer = buffer;
        Positions = positions;
        RotaryDim = rotaryDim;
        Interleaved = interleaved;
        CosSin = buffer.View(DType.F32, positions, rotaryDim);
    }

    public int Positions { get; }

    public int RotaryDim { get; }

    public bool Interleaved { get; }

    /// <summary>[positions, RotaryDim] f32: cosines, then sines.</summary>
    public TensorView CosSin { get; }

    public void Dispose() => _buffer.Dispose();
}
