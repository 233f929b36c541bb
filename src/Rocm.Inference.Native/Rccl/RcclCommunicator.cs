using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Rccl;

/// <summary>One rank of a group of GPUs that exchange data. All ranks must make the same calls in the same order.</summary>
internal sealed unsafe class RcclCommunicator : IDisposable
{
    // ncclSum
    private const int Sum = 0;

    private readonly HipDevice _device;
    private readonly CommunicatorHandle _handle;

    private RcclCommunicator(HipDevice device, CommunicatorHandle handle) => (_device, _handle) = (device, handle);

    /// <summary>Makes the identity of a new group; one rank does, and gives it to the others.</summary>
    /// <param name="runtimePath">The libamdhip64 in use.</param>
    /// <exception cref="HipException">There is no librccl, or it fails.</exception>
    internal static RcclUniqueId CreateId(string runtimePath)
    {
        CompanionLibrary.Require(RocmLibrary.Rccl, runtimePath);
        RcclUniqueId id;
        RcclStatus.ThrowIfFailed(RcclApi.ncclGetUniqueId(&id), device: null);
        return id;
    }

    /// <summary>Joins a group; returns when all ranks have.</summary>
    internal static RcclCommunicator Join(HipDevice device, RcclUniqueId id, int ranks, int rank)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, ranks);
        var handle = new CommunicatorHandle(device.Ledger);
        using DeviceScope scope = DeviceScope.Enter(device.Ordinal);
        nint communicator;
        RcclStatus.ThrowIfFailed(RcclApi.ncclCommInitRank(&communicator, ranks, id, rank), device.Ordinal);
        handle.Adopt(communicator);
        return new RcclCommunicator(device, handle);
    }

    /// <summary>Enqueues the sum over all ranks; source and destination may be the same.</summary>
    internal void AllReduceSum(HipStream stream, nint source, nint destination, long count, RcclDataType type) =>
        RcclStatus.ThrowIfFailed(RcclApi.ncclAllReduce(source, destination, (nuint)count, type, Sum, _handle, stream.Handle), _device.Ordinal);

    /// <summary>Enqueues gathering <paramref name="countPerRank"/> elements of every rank, in the order of the ranks.</summary>
    internal void AllGather(HipStream stream, nint source, nint destination, long countPerRank, RcclDataType type) =>
        RcclStatus.ThrowIfFailed(RcclApi.ncclAllGather(source, destination, (nuint)countPerRank, type, _handle, stream.Handle), _device.Ordinal);

    /// <summary>Throws when a collective failed after it was enqueued, for instance because another rank is gone.</summary>
    internal void ThrowIfFailed()
    {
        int result;
        RcclStatus.ThrowIfFailed(RcclApi.ncclCommGetAsyncError(_handle, &result), _device.Ordinal);
        RcclStatus.ThrowIfFailed(result, _device.Ordinal, "RcclApi.ncclCommGetAsyncError(");
    }

    public void Dispose() => _handle.Dispose();
}
