namespace Rocm.Inference.Native.Handles;

/// <summary>The native objects that a <see cref="HandleLedger"/> tells apart.</summary>
internal enum HandleKind
{
    DeviceMemory,
    PinnedMemory,
    PoolMemory,
    MemoryPool,
    Stream,
    Event,
    Module,
    Function,
    Graph,
    GraphExec,
    HiprtcProgram,
    BlasLt,
    BlasLtMatmulDesc,
    BlasLtLayout,
    BlasLtPreference,
    Communicator,
    RocmSmi,
}
