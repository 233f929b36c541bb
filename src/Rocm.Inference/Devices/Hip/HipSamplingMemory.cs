namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// A lane's memory for sampling: what goes to the device in one copy, what comes back in one, and what stays there. Grows to the largest step and is then
/// reused; a recorded step keeps the memory that it was recorded with.
/// </summary>
internal sealed class HipSamplingMemory(HipGpu gpu) : IDisposable
{
    private byte[] _input = [];
    private DeviceBuffer? _buffer;
    private int _inputBytes, _outputBytes;

    /// <summary>What goes to the device.</summary>
    public Span<byte> Input => _input.AsSpan(0, _inputBytes);

    /// <summary>Rows of the step.</summary>
    public int NumRows { get; set; }

    /// <summary>Columns of its logits.</summary>
    public int Vocabulary { get; set; }

    public nint InputAddress => _buffer!.Address;

    public nint OutputAddress => _buffer!.Address + _inputBytes;

    public nint ScratchAddress => _buffer!.Address + _inputBytes + _outputBytes;

    /// <summary>Makes room for a step; all sizes in bytes and multiples of 8. What was there before is lost.</summary>
    public void Reserve(int inputBytes, int outputBytes, int scratchBytes)
    {
        (_inputBytes, _outputBytes) = (inputBytes, outputBytes);
        if (_input.Length < inputBytes) _input = new byte[Grown(inputBytes)];
        long needed = (long)inputBytes + outputBytes + scratchBytes;
        if (_buffer is { } buffer && buffer.SizeBytes >= needed) return;

        // The step before has ended: its results were read.
        _buffer?.Dispose();
        _buffer = null;
        _buffer = gpu.Allocate(Grown(needed));
    }

    public void Upload(HipContext context) => context.Upload<byte>(Input, new TensorView(_buffer!, 0, DType.U8, _inputBytes));

    public void Fetch(HipContext context) => context.Fetch(new TensorView(_buffer!, _inputBytes, DType.U8, _outputBytes));

    public void Dispose() => _buffer?.Dispose();

    private static long Grown(long bytes) => bytes + (bytes / 2);
}
