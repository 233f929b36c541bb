using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Tests.Hip;

/// <summary>The tests that use the fake runtime inside this process, which can load one only; they run one after another.</summary>
[CollectionDefinition(Name)]
public sealed class FakeRuntimeTests : ICollectionFixture<FakeRuntime>
{
    public const string Name = "fake runtime";
}

/// <summary>native/fake_hip.c as libamdhip64 and its companions, loaded into this process and scripted by calls.</summary>
public sealed unsafe class FakeRuntime : IDisposable
{
    // hipRTC and the others are links to the same file, so that all share one script and one account.
    private static readonly string[] Companions = ["libhiprtc.so.6", "libhipblaslt.so.1", "librccl.so.1", "librocm_smi64.so.7"];

    private readonly FakeHipLibraries _libraries = new();
    private nint _library;
    private string _path = "";

    /// <summary>Objects of the fake that exist; those of a test are what it added.</summary>
    internal long Live => ((delegate* unmanaged<nint>)Export("fake_hip_live"))();

    /// <summary>Uses of destroyed objects and the like since the process began.</summary>
    internal long Misuse => ((delegate* unmanaged<nint>)Export("fake_hip_misuse"))();

    internal long Calls => ((delegate* unmanaged<nint>)Export("fake_hip_calls"))();

    /// <summary>The function that failed by the script of <see cref="FailCall"/>, or null.</summary>
    internal string? Failed => Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export("fake_hip_failed"))());

    internal string LibraryPath
    {
        get
        {
            Load();
            return _path;
        }
    }

    /// <summary>A runtime whose native objects a ledger counts; skips the test where the fake cannot be built.</summary>
    internal HipRuntime Start(HandleLedger? ledger = null)
    {
        Load();
        FailCall(0, 0);
        return HipRuntime.Load(_path, ledger);
    }

    /// <summary>Lets the n-th native call from now on, on this thread, fail; 0 lets none.</summary>
    internal void FailCall(int n, int code) => ((delegate* unmanaged<int, int, void>)Export("fake_hip_fail_call"))(n, code);

    /// <summary>Lets so many queries of this thread answer "not ready".</summary>
    internal void BeBusy(int queries) => ((delegate* unmanaged<int, void>)Export("fake_hip_busy"))(queries);

    internal void SetDevices(int count) => ((delegate* unmanaged<int, void>)Export("fake_hip_devices"))(count);

    internal void LimitMemory(ulong bytes) => ((delegate* unmanaged<ulong, void>)Export("fake_hip_limit"))(bytes);

    /// <summary>Grid, block and shared bytes of this thread's last launch.</summary>
    internal int[] LastLaunch() => new ReadOnlySpan<int>(((delegate* unmanaged<int*>)Export("fake_hip_last_launch"))(), 7).ToArray();

    internal byte[] LastArguments()
    {
        nuint bytes;
        byte* arguments = ((delegate* unmanaged<nuint*, byte*>)Export("fake_hip_last_arguments"))(&bytes);
        return new ReadOnlySpan<byte>(arguments, (int)bytes).ToArray();
    }

    public void Dispose() => _libraries.Dispose();

    private void Load()
    {
        if (_library != 0) return;
        _path = _libraries.Build("inproc", "libamdhip64.so.6");
        foreach (string name in Companions) File.CreateSymbolicLink(Path.Combine(Path.GetDirectoryName(_path)!, name), _path);
        LibraryLoad load = RocmLibraryResolver.Load(RocmLibrary.Hip, RocmSearch.FromEnvironment(_path));
        Assert.True(load.IsLoaded, string.Join("; ", load.Attempts));
        _library = load.Handle;
    }

    private nint Export(string name) => NativeLibrary.GetExport(_library, name);
}
