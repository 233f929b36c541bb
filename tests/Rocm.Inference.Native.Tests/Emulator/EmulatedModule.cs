using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>A code object on the emulated device, and the memory that a test gives its kernels.</summary>
internal sealed unsafe class EmulatedModule : IDisposable
{
    private readonly GfxEmulator _device;
    private readonly List<nint> _buffers = [];
    private nint _module;

    internal EmulatedModule(GfxEmulator device, string path)
    {
        _device = device;
        byte[] name = GfxEmulator.Utf8(path);
        nint module;
        fixed (byte* p = name) Check(((delegate* unmanaged<nint*, byte*, int>)device.Export("hipModuleLoad"))(&module, p));
        _module = module;
    }

    /// <summary>Device memory that holds the values.</summary>
    internal nint Upload<T>(params ReadOnlySpan<T> values)
        where T : unmanaged
    {
        nint at = Allocate((nuint)values.Length * (nuint)sizeof(T));
        fixed (T* p = values) Check(((delegate* unmanaged<nint, T*, nuint, int, int>)_device.Export("hipMemcpy"))(at, p, (nuint)values.Length * (nuint)sizeof(T), 1));
        return at;
    }

    /// <summary>Device memory for a number of values; it holds NaN.</summary>
    internal nint Output<T>(int count)
        where T : unmanaged => Allocate((nuint)count * (nuint)sizeof(T));

    internal T[] Download<T>(nint at, int count)
        where T : unmanaged
    {
        T[] values = new T[count];
        fixed (T* p = values) Check(((delegate* unmanaged<T*, nint, nuint, int, int>)_device.Export("hipMemcpy"))(p, at, (nuint)count * (nuint)sizeof(T), 2));
        return values;
    }

    /// <summary>Launches with arguments of 4 and 8 bytes; the call must succeed.</summary>
    internal void Launch(string kernel, int groups, int threads, params ReadOnlySpan<object> arguments) =>
        Check(TryLaunch(kernel, new((uint)groups, 1, 1), new((uint)threads, 1, 1), 0, arguments));

    /// <summary>Launches and returns the code of the call.</summary>
    internal int TryLaunch(string kernel, Size grid, Size block, nint stream, params ReadOnlySpan<object> arguments)
    {
        ulong* values = stackalloc ulong[arguments.Length];
        void** pointers = stackalloc void*[arguments.Length];
        for (int k = 0; k < arguments.Length; k++)
        {
            values[k] = arguments[k] switch
            {
                nint pointer => (ulong)pointer,
                int number => (uint)number,
                uint number => number,
                _ => throw new ArgumentException($"Argument {k} is neither a pointer nor a 32-bit number.", nameof(arguments)),
            };
            pointers[k] = values + k;
        }

        return ((delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)_device.Export("hipModuleLaunchKernel"))(
            Function(kernel), grid.X, grid.Y, grid.Z, block.X, block.Y, block.Z, 0, stream, pointers, null);
    }

    internal nint Function(string kernel)
    {
        nint function;
        byte[] name = GfxEmulator.Utf8(kernel);
        fixed (byte* p = name) Check(((delegate* unmanaged<nint*, nint, byte*, int>)_device.Export("hipModuleGetFunction"))(&function, _module, p));
        return function;
    }

    public void Dispose()
    {
        foreach (nint buffer in _buffers) ((delegate* unmanaged<nint, int>)_device.Export("hipFree"))(buffer);
        ((delegate* unmanaged<nint, int>)_device.Export("hipModuleUnload"))(_module);
        _module = 0;
    }

    private nint Allocate(nuint bytes)
    {
        nint at;
        Check(((delegate* unmanaged<nint*, nuint, int>)_device.Export("hipMalloc"))(&at, bytes));
        _buffers.Add(at);
        return at;
    }

    private void Check(int code) => Assert.True(code == 0, $"{Marshal.PtrToStringUTF8(((delegate* unmanaged<int, nint>)_device.Export("hipGetErrorName"))(code))}: {_device.LastFault()}");

    /// <summary>A grid or a block.</summary>
    internal readonly record struct Size(uint X, uint Y, uint Z);
}
