using System.Diagnostics.CodeAnalysis;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>A kernel of a module. Keeps the module loaded.</summary>
internal sealed unsafe class HipFunction : IDisposable
{
    private readonly HipDevice _device;
    private readonly FunctionHandle _handle;
    private readonly int _kernargBytes;

    internal HipFunction(HipDevice device, FunctionHandle handle, string name, int kernargBytes)
    {
        (_device, _handle, _kernargBytes, Name) = (device, handle, kernargBytes, name);
        MaxThreadsPerBlock = Attribute(HipFunctionAttribute.MaxThreadsPerBlock);
        StaticLdsBytes = Attribute(HipFunctionAttribute.SharedSizeBytes);
        ScratchBytesPerThread = Attribute(HipFunctionAttribute.LocalSizeBytes);
        Registers = Attribute(HipFunctionAttribute.NumRegs);
    }

    internal string Name { get; }

    /// <summary>Threads per block that the kernel was compiled for.</summary>
    internal int MaxThreadsPerBlock { get; }

    /// <summary>Local memory (LDS) of a block besides what a launch adds, in bytes.</summary>
    internal int StaticLdsBytes { get; }

    /// <summary>Spilled registers and stack, in bytes per thread.</summary>
    internal int ScratchBytesPerThread { get; }

    internal int Registers { get; }

    /// <summary>Enqueues the kernel. Allocates nothing; the arguments are copied before the call returns.</summary>
    /// <param name="stream">A stream of the module's device.</param>
    /// <param name="grid">Extent in blocks.</param>
    /// <param name="block">Extent of a block in threads.</param>
    /// <param name="sharedBytes">Local memory (LDS) of a block besides the static one.</param>
    /// <param name="kernarg">The arguments as the kernel lays them out, see <see cref="KernargWriter"/>.</param>
    /// <exception cref="HipException">The launch failed.</exception>
    /// <exception cref="ArgumentException">The kernel or the device cannot do that: too many threads, too much local memory, too few arguments.</exception>
    internal void Launch(HipStream stream, HipDim3 grid, HipDim3 block, int sharedBytes, ReadOnlySpan<byte> kernarg)
    {
        if (block.Volume - 1 >= (ulong)MaxThreadsPerBlock || grid.Volume == 0) ThrowBadExtent(grid, block);
        if ((uint)sharedBytes > (uint)(_device.Info.LdsBytesPerBlock - StaticLdsBytes)) ThrowTooMuchLds(sharedBytes);
        if (kernarg.Length < _kernargBytes) ThrowTooFewArguments(kernarg.Length);
        stream.Capture(_handle);
        nuint bytes = (nuint)kernarg.Length;
        fixed (byte* arguments = kernarg)
        {
            void** extra = stackalloc void*[5];
            extra[0] = (void*)HipLaunchParam.BufferPointer;
            extra[1] = arguments;
            extra[2] = (void*)HipLaunchParam.BufferSize;
            extra[3] = &bytes;
            extra[4] = (void*)HipLaunchParam.End;
            int status = HipApi.hipModuleLaunchKernel(
                _handle, grid.X, grid.Y, grid.Z, block.X, block.Y, block.Z, (uint)sharedBytes, stream.Handle, null, extra);
            if (status != HipStatus.Success) ThrowLaunchFailed(status, grid, block);
        }
    }

    /// <summary>Blocks of this kernel that one compute unit holds at a time.</summary>
    internal int BlocksPerComputeUnit(int threadsPerBlock, int sharedBytes)
    {
        int blocks;
        HipStatus.ThrowIfFailed(
            HipApi.hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, _handle, threadsPerBlock, (nuint)sharedBytes), _device.Ordinal);
        return blocks;
    }

    public void Dispose() => _handle.Dispose();

    private int Attribute(HipFunctionAttribute attribute)
    {
        int value;
        HipStatus.ThrowIfFailed(HipApi.hipFuncGetAttribute(&value, attribute, _handle), _device.Ordinal);
        return value;
    }

    [DoesNotReturn]
    private void ThrowLaunchFailed(int status, HipDim3 grid, HipDim3 block)
    {
        HipStatus.ThrowIfFailed(status, _device.Ordinal, () => $"The kernel is {Name}, grid {grid}, block {block}.", "HipApi.hipModuleLaunchKernel(");
        throw new InvalidOperationException();
    }

    [DoesNotReturn]
    private void ThrowBadExtent(HipDim3 grid, HipDim3 block) => throw new ArgumentException(
        $"{Name} takes blocks of 1 to {MaxThreadsPerBlock} threads and at least one block, not grid {grid} of blocks {block}.");

    [DoesNotReturn]
    private void ThrowTooMuchLds(int sharedBytes) => throw new ArgumentException(
        $"{Name} has {StaticLdsBytes} bytes of local memory of its own; {sharedBytes} more do not fit into the {_device.Info.LdsBytesPerBlock} bytes that a block may have on {_device.Info.Name}.");

    [DoesNotReturn]
    private void ThrowTooFewArguments(int found) => throw new ArgumentException($"{Name} takes {_kernargBytes} bytes of arguments, not {found}.");
}
