using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>
/// Memory of a pool, allocated and freed in the order of one stream: disposing after the last use has been enqueued there is enough. Work on
/// other streams must be made to precede that by an event. Keeps its pool and its stream alive.
/// </summary>
internal sealed class PoolMemoryHandle : MemoryHandle
{
    private readonly StreamHandle _stream;

    internal PoolMemoryHandle(long bytes, MemoryPoolHandle pool, StreamHandle stream, HandleLedger? ledger)
        : base(HandleKind.PoolMemory, bytes, ledger)
    {
        _stream = stream;
        Hold(stream);
        try
        {
            Hold(pool);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    // The stream is still held here, though its owner may have disposed of it.
    protected override bool Destroy(nint native) => HipApi.hipFreeAsync(native, _stream.DangerousGetHandle()) == HipStatus.Success;
}
