using System.Text;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Hiprtc;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.Native.Tests.Hip;
using Rocm.Inference.Native.Tests.Interop;

namespace Rocm.Inference.Native.Tests.Hiprtc;

[Collection(FakeRuntimeTests.Name)]
public sealed class HiprtcCompilerTests(FakeRuntime fake)
{
    private static readonly HiprtcSource Source = new("k.hip", "code ä", [new HiprtcHeader("wave.h", "one"), new HiprtcHeader("b/mma.h", "two")]);

    [Fact]
    public void Source_headers_and_options_reach_the_compiler_and_the_code_comes_back()
    {
        var ledger = new HandleLedger();
        byte[] code = Load(ledger).Compile(Source, ["-O3", "--offload-arch=gfx942:xnack-"], out string log);

        Assert.Equal("k.hip:code ä|wave.h:one|b/mma.h:two", Encoding.UTF8.GetString(code.AsSpan(64)));
        Assert.Equal(new HipCodeObject("gfx942", 4), HipCodeObject.Read(code));
        Assert.Empty(log);
        Assert.Equal("empty", ledger.ToString());
    }

    [Fact]
    public void A_source_that_does_not_compile_says_why()
    {
        var error = Assert.Throws<HipException>(() => Load(null).Compile(Source with { Text = "#error" }, ["-O3"], out _));
        Assert.Equal(
            "hiprtcCompileProgram failed: HIPRTC_ERROR_COMPILATION, code 6. k.hip does not compile with -O3: error: as the source says", error.Message);
        Assert.False(error.IsDeviceFault);
    }

    [Fact]
    public void Every_call_that_fails_is_a_typed_error_and_leaks_nothing()
    {
        var failed = new HashSet<string>();
        foreach ((string text, int code) in ((string, int)[])[("good", 11), ("good", 1), ("#error", 11)])
        {
            for (int n = 1; ; n++)
            {
                var ledger = new HandleLedger();
                HiprtcCompiler compiler = Load(ledger);
                long live = fake.Live, misuse = fake.Misuse;
                fake.FailCall(n, code);
                Exception? error = Record.Exception(() => compiler.Compile(Source with { Text = text }, [], out _));
                string? function = fake.Failed;
                fake.FailCall(0, 0);
                Assert.Equal("empty", ledger.ToString());
                bool kept = function == "hiprtcDestroyProgram";
                Assert.Equal((live + (kept ? 1 : 0), misuse), (fake.Live, fake.Misuse));
                if (function is null) break;
                failed.Add(function);
                if (text == "good" && !kept)
                {
                    Assert.Equal(function, Assert.IsAssignableFrom<HipException>(error).Call);
                    Assert.Equal(code == 1, error is HipOutOfMemoryException);
                }
            }
        }

        Assert.Equal(RocmLibrary.Hiprtc.RequiredExports.Except(["hiprtcVersion", "hiprtcGetErrorString"]).Order(), failed.Order());
    }

    [Fact]
    public void The_cache_stands_before_the_compiler()
    {
        string folder = Path.Combine(Path.GetTempPath(), $"rocm-inference-{Guid.NewGuid():N}");
        try
        {
            HiprtcCompiler compiler = Load(null);
            byte[] first = new RuntimeKernelCompiler(compiler, new CodeObjectCache(folder)).Compile(Source, "gfx1100", ["-O3"]);
            long calls = fake.Calls;
            byte[] second = new RuntimeKernelCompiler(compiler, new CodeObjectCache(folder)).Compile(Source, "gfx1100", ["-O3"]);
            Assert.Equal(first, second);
            Assert.Equal(calls, fake.Calls);
            byte[] other = new RuntimeKernelCompiler(compiler, new CodeObjectCache(folder)).Compile(Source, "gfx942", ["-O3"]);
            Assert.Equal(("gfx1100", "gfx942"), (HipCodeObject.Read(first).Target, HipCodeObject.Read(other).Target));
        }
        finally
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void The_real_hipRTC_compiles_without_a_device()
    {
        HipAbiTests.RealRuntime(out _);
        string[] lines = ChildProcess.Run(ChildProcess.RealHiprtc, []).Split('\n');
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', lines));
        Assert.Equal("gfx90a 4 True", lines[0]);
        Assert.Contains("HIPRTC_ERROR_COMPILATION", lines[1], StringComparison.Ordinal);
        Assert.Contains("undeclared identifier 'nowhere'", string.Concat(lines[1..]), StringComparison.Ordinal);
    }

    /// <summary>In a child process: compiles a kernel and one that does not compile.</summary>
    internal static void CompileForReal()
    {
        HipRuntimeReport report = HipRuntimeProbe.Probe();
        HiprtcCompiler compiler = HiprtcCompiler.Load(report.LibraryPath!, report.RuntimeVersion!);
        var source = new HiprtcSource(
            "scale.hip", "#include \"factor.h\"\nextern \"C\" __global__ void scale(float* x) { x[threadIdx.x] *= FACTOR; }", [new HiprtcHeader("factor.h", "#define FACTOR 2")]);
        byte[] code = compiler.Compile(source, ["--offload-arch=gfx90a", "-O3", "-mcode-object-version=4"], out _);
        HipCodeObject identity = HipCodeObject.Read(code);
        Console.WriteLine($"{identity.Target} {identity.Version} {code.AsSpan().IndexOf("scale.kd"u8) > 0}");
        try
        {
            compiler.Compile(source with { Text = "extern \"C\" __global__ void k(float* x) { *x = nowhere; }" }, ["--offload-arch=gfx90a"], out _);
        }
        catch (HipException e)
        {
            Console.WriteLine(e.Message);
        }
    }

    private HiprtcCompiler Load(HandleLedger? ledger)
    {
        HipRuntime runtime = fake.Start();
        return HiprtcCompiler.Load(runtime.LibraryPath, runtime.Version, ledger);
    }
}
