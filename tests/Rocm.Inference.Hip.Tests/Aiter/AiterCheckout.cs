using System.Runtime.InteropServices;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>
/// AITER's own code objects on the emulated gfx942, and device memory for a test. They are no part of this repository: the tests run where
/// ROCM_INFERENCE_AITER_PATH names a checkout, a site-packages folder or an hsa folder.
/// </summary>
internal sealed class AiterCheckout : IDisposable
{
    /// <summary>The collection of the classes that execute these kernels: they change how the emulator checks, and run alone.</summary>
    internal const string Collection = "AITER";

    private readonly List<DeviceMemoryHandle> _memory = [];

    private AiterCheckout(AiterKernelLibrary library) => (Library, Stream) = (library, library.Device.CreateStream());

    internal AiterKernelLibrary Library { get; }

    internal HipStream Stream { get; }

    /// <summary>Opens the kernels, or skips the test with the reason.</summary>
    /// <param name="inStep">
    /// Waves of a workgroup take turns after every instruction, as they advance on a GPU, and not at barriers only. Some kernels count on that: they write
    /// over what other waves have just begun to read, with no barrier between.
    /// </param>
    internal static AiterCheckout Open(bool inStep = false)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        var search = AiterSearch.FromEnvironment(null);
        Assert.SkipWhen(search.NamedPath is null, $"{AiterSearch.PathVariable} names no AITER checkout whose code objects could be executed.");
        AiterLocation location = AiterInstallation.Locate(search);
        Assert.True(location.Installation is not null, location.ToString());
        AiterKernelLibrary? library = AiterKernelLibrary.Open(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), location.Installation, allowUnproven: false, out string reason);
        Assert.True(library is not null, reason);
        // Some of the kernels order their waves in other ways than by barriers, which the check for LDS races does not follow.
        EmulatedGpu.Instance.Set("races", "0");
        EmulatedGpu.Instance.Set("slice", inStep ? "1" : "0");
        return new AiterCheckout(library);
    }

    /// <summary>Device memory with the values.</summary>
    internal nint Upload<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        nint at = Allocate((long)values.Length * Marshal.SizeOf<T>());
        Stream.Upload(values, _memory[^1]);
        return at;
    }

    /// <summary>Device memory full of NaN.</summary>
    internal nint Allocate(long bytes)
    {
        DeviceMemoryHandle memory = Library.Device.Allocate(bytes);
        _memory.Add(memory);
        Stream.Fill(memory, 0, bytes, 0xff);
        return memory.Value;
    }

    internal T[] Download<T>(nint at, int count)
        where T : unmanaged
    {
        var values = new T[count];
        Stream.Download(_memory.Single(memory => memory.Value == at), values.AsSpan());
        return values;
    }

    public void Dispose()
    {
        Stream.Dispose();
        foreach (DeviceMemoryHandle memory in _memory) memory.Dispose();
        Library.Dispose();
        EmulatedGpu.Instance.Set("races", "1");
        EmulatedGpu.Instance.Set("slice", "0");
    }
}

/// <summary>Names the collection.</summary>
[CollectionDefinition(AiterCheckout.Collection, DisableParallelization = true)]
public sealed class AiterCheckoutDefinition;
