using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// Two page-locked buffers that weights pass through in turns: one is filled by the host while the other is being copied. Not thread-safe.
/// </summary>
internal sealed class HipWeightStaging : IDisposable
{
    private readonly HipStream _stream;
    private readonly PinnedMemoryHandle[] _buffers = new PinnedMemoryHandle[2];
    private readonly HipEvent[] _copied = new HipEvent[2];
    private int _turn;

    /// <param name="device">The GPU.</param>
    /// <param name="bufferBytes">Size of each buffer.</param>
    public HipWeightStaging(HipDevice device, int bufferBytes)
    {
        BufferBytes = bufferBytes;
        _stream = device.CreateStream();
        try
        {
            for (int i = 0; i < 2; i++)
            {
                _copied[i] = device.CreateEvent();
                _buffers[i] = device.AllocatePinned(bufferBytes);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public int BufferBytes { get; }

    /// <summary>Memory to fill for the next <see cref="Send"/>; its content is undefined.</summary>
    /// <param name="bytes">At most <see cref="BufferBytes"/>.</param>
    public Span<byte> Next(int bytes)
    {
        _copied[_turn].Synchronize();
        return _buffers[_turn].Span(0, bytes);
    }

    /// <summary>Enqueues the copy of what the last <see cref="Next"/> gave, and goes on to the other buffer.</summary>
    public void Send(MemoryHandle destination, long offset, int bytes)
    {
        _stream.Copy(destination, offset, _buffers[_turn], 0, bytes);
        _stream.Record(_copied[_turn]);
        _turn ^= 1;
    }

    /// <summary>Waits until everything sent has arrived.</summary>
    public void Flush() => _stream.Synchronize();

    public void Dispose()
    {
        // Releasing page-locked memory waits for the copies out of it.
        _stream.Dispose();
        foreach (PinnedMemoryHandle? buffer in _buffers) buffer?.Dispose();
        foreach (HipEvent? copied in _copied) copied?.Dispose();
    }
}
