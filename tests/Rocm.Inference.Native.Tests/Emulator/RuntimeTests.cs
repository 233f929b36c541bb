using System.Runtime.InteropServices;
using System.Text;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>The parts of the HIP interface that need more than a launch: capture and graphs, scripted failures, memory, code objects, hipRTC.</summary>
[Collection(GfxEmulator.Collection)]
public sealed unsafe class RuntimeTests(GfxEmulator device)
{
    private const int OutOfMemory = 2, NoBinaryForGpu = 209, CaptureUnsupported = 900, GraphExecUpdateFailure = 910;

    [Fact]
    public void A_captured_graph_replays_with_the_arguments_of_its_capture_until_it_is_updated()
    {
        using EmulatedModule module = Load("gfx942");
        nint a = module.Upload<float>(1, 2, 3, 4), b = module.Upload<float>(10, 20, 30, 40), c = module.Output<float>(4), stream = CreateStream();
        nint first = Capture(stream, () => Launch(a, b));
        Assert.All(module.Download<float>(c, 4), x => Assert.True(float.IsNaN(x)));

        nint executable;
        Assert.Equal(0, ((delegate* unmanaged<nint*, nint, ulong, int>)device.Export("hipGraphInstantiateWithFlags"))(&executable, first, 0));
        Ok("hipGraphLaunch", executable, stream);
        Ok("hipStreamSynchronize", stream);
        Assert.Equal([11, 22, 33, 44], module.Download<float>(c, 4));

        nint second = Capture(stream, () => Launch(a, a)), longer = Capture(stream, () => { Launch(a, a); Memset(); });
        nint node;
        int result;
        var update = (delegate* unmanaged<nint, nint, nint*, int*, int>)device.Export("hipGraphExecUpdate");
        Assert.Equal(0, update(executable, second, &node, &result));
        Ok("hipGraphLaunch", executable, stream);
        Assert.Equal([2, 4, 6, 8], module.Download<float>(c, 4));
        Assert.Equal(GraphExecUpdateFailure, update(executable, longer, &node, &result));

        foreach (nint graph in (nint[])[first, second, longer]) Ok("hipGraphDestroy", graph);
        Ok("hipGraphExecDestroy", executable);
        Ok("hipStreamDestroy", stream);
        Assert.Equal([0, 0, 0, 0], device.Ledger()[..4]);

        void Launch(nint x, nint y) => Assert.Equal(0, module.TryLaunch("add", new(1, 1, 1), new(64, 1, 1), stream, x, y, c, 4u));
        void Memset() => Assert.Equal(0, ((delegate* unmanaged<nint, int, nuint, nint, int>)device.Export("hipMemsetAsync"))(c, 0, 16, stream));
    }

    [Fact]
    public void Waiting_for_a_stream_that_captures_spoils_the_capture()
    {
        device.Reset("gfx942");
        nint stream = CreateStream(), graph;
        Assert.Equal(0, ((delegate* unmanaged<nint, int, int>)device.Export("hipStreamBeginCapture"))(stream, 0));
        Assert.Equal(CaptureUnsupported, Call("hipStreamSynchronize", stream));
        Assert.Equal(CaptureUnsupported, Call("hipMalloc", (nint)(&graph), 256));
        Assert.Equal(901, Call("hipStreamEndCapture", stream, (nint)(&graph)));
        Assert.Equal(0, graph);
        Ok("hipStreamDestroy", stream);
    }

    [Fact]
    public void Scripted_failures_come_at_the_call_they_name()
    {
        device.Reset("gfx942");
        device.Set("fail", "hipMalloc:2=2,hipEventCreate:*=999");
        nint p, q, none;
        Ok("hipMalloc", (nint)(&p), 256);
        Assert.Equal(OutOfMemory, Call("hipMalloc", (nint)(&q), 256));
        Ok("hipMalloc", (nint)(&q), 256);
        Assert.Equal(999, Call("hipEventCreate", (nint)(&none)));
        Ok("hipFree", p);
        Ok("hipFree", q);
    }

    [Fact]
    public void Memory_runs_out_at_the_capacity_and_comes_back()
    {
        device.Reset("gfx1100");
        device.Set("mem_mb", "1");
        ulong before = device.Ledger()[5];
        nint p, q;
        nuint free, total;
        Ok("hipMalloc", (nint)(&p), 1 << 19);
        Assert.Equal(OutOfMemory, Call("hipMalloc", (nint)(&q), 1 << 20));
        Ok("hipMemGetInfo", (nint)(&free), (nint)(&total));
        Assert.Equal((nuint)(1 << 20), total);
        Assert.Equal(total - (1 << 19) - (nuint)before, free);
        Ok("hipFree", p);
        Assert.Equal(1, Call("hipFree", p));
        Assert.Equal(before, device.Ledger()[5]);
    }

    [Fact]
    public void Code_for_another_device_is_refused_by_its_own_error()
    {
        device.Reset("gfx942");
        byte[] image = File.ReadAllBytes(device.Compile("basic", "gfx1100"));
        nint module;
        fixed (byte* p = image) Assert.Equal(NoBinaryForGpu, Call("hipModuleLoadData", (nint)(&module), (nint)p));
        Assert.Contains("machine 0x41, the device is gfx942", device.LastFault(), StringComparison.Ordinal);
        image.AsSpan(0, 4).Clear();
        fixed (byte* p = image) Assert.Equal(200, Call("hipModuleLoadData", (nint)(&module), (nint)p));
    }

    [Theory]
    [InlineData("gfx942")]
    [InlineData("gfx1100")]
    public void HipRTC_compiles_what_the_device_runs(string arch)
    {
        device.Reset(arch);
        nint rtc = NativeLibrary.Load(Path.Combine(device.Folder, "libhiprtc.so.6"));
        byte[] code = CompileProgram(rtc, arch, "extern \"C\" __global__ void twice(float* x) { int i = blockIdx.x * blockDim.x + threadIdx.x; x[i] *= 2; }", out string log);
        Assert.True(code.Length > 0, log);
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, code);
            using EmulatedModule module = new(device, path);
            nint values = module.Upload<float>([.. Enumerable.Range(0, 256).Select(i => (float)i)]);
            module.Launch("twice", 4, 64, values);
            Assert.Equal(Enumerable.Range(0, 256).Select(i => 2.0f * i), module.Download<float>(values, 256));
        }
        finally
        {
            File.Delete(path);
        }

        Assert.Empty(CompileProgram(rtc, arch, "__global__ void broken() { unknown(); }", out log));
        Assert.Contains("unknown", log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gfx942", "gfx942:sramecc+:xnack-", 304, 64)]
    [InlineData("gfx1100", "gfx1100", 48, 32)]
    public void The_library_takes_the_place_of_a_real_runtime(string arch, string name, int units, int wave)
    {
        device.Reset(arch);
        var environment = new Dictionary<string, string> { ["GFXEMU_ARCH"] = arch, ["GFXEMU_MEM_MB"] = "2048" };
        HipRuntimeReport report = ProbeProcess.RunOnce(Path.Combine(device.Folder, "libamdhip64.so.6"), environment);
        HipDeviceInfo found = Assert.Single(report.Devices);
        Assert.Equal((name, 2L << 30, units, wave), (found.Architecture, found.MemoryBytes, found.ComputeUnits, found.WaveSize));
    }

    private static byte[] CompileProgram(nint rtc, string arch, string source, out string log)
    {
        nint program;
        fixed (byte* text = GfxEmulator.Utf8(source), name = GfxEmulator.Utf8("test.hip"), option = GfxEmulator.Utf8("--gpu-architecture=" + arch))
        {
            byte* only = option;
            Assert.Equal(0, ((delegate* unmanaged<nint*, byte*, byte*, int, nint, nint, int>)NativeLibrary.GetExport(rtc, "hiprtcCreateProgram"))(&program, text, name, 0, 0, 0));
            int status = ((delegate* unmanaged<nint, int, byte**, int>)NativeLibrary.GetExport(rtc, "hiprtcCompileProgram"))(program, 1, &only);
            nuint size;
            Assert.Equal(0, ((delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(rtc, "hiprtcGetProgramLogSize"))(program, &size));
            byte[] bytes = new byte[size];
            fixed (byte* p = bytes) Assert.Equal(0, ((delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(rtc, "hiprtcGetProgramLog"))(program, p));
            log = Encoding.UTF8.GetString(bytes);
            byte[] code = [];
            if (status == 0)
            {
                Assert.Equal(0, ((delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(rtc, "hiprtcGetCodeSize"))(program, &size));
                code = new byte[size];
                fixed (byte* p = code) Assert.Equal(0, ((delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(rtc, "hiprtcGetCode"))(program, p));
            }

            Assert.Equal(0, ((delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(rtc, "hiprtcDestroyProgram"))(&program));
            return code;
        }
    }

    private nint CreateStream()
    {
        nint stream;
        Ok("hipStreamCreate", (nint)(&stream));
        return stream;
    }

    private nint Capture(nint stream, Action work)
    {
        nint graph;
        Assert.Equal(0, ((delegate* unmanaged<nint, int, int>)device.Export("hipStreamBeginCapture"))(stream, 2));
        work();
        Ok("hipStreamEndCapture", stream, (nint)(&graph));
        return graph;
    }

    private EmulatedModule Load(string arch)
    {
        device.Reset(arch);
        return new EmulatedModule(device, device.Compile("basic", arch));
    }

    private void Ok(string function, nint a, nint b = 0) => Assert.Equal(0, Call(function, a, b));

    private int Call(string function, nint a, nint b = 0) => ((delegate* unmanaged<nint, nint, int>)device.Export(function))(a, b);
}
