using System.Diagnostics;
using System.Globalization;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks;

/// <summary>What a kernel launch costs the host: through P/Invoke into a libamdhip64 that returns at once, so that only this side is timed.</summary>
internal static class HipHostBench
{
    private const int Launches = 300;
    private const int Arguments = 16;

    public static void Run(BenchOptions options, CommandArguments arguments)
    {
        using var library = new NothingLibrary();
        HipDevice device = HipRuntime.Load(arguments.Text("--library") ?? library.Build(), new HandleLedger()).OpenDefault();
        using HipStream stream = device.CreateStream();
        using DeviceMemoryHandle memory = device.Allocate(1 << 20);
        using HipModule module = device.LoadModule(arguments.Text("--code") is { } code ? File.ReadAllBytes(code) : NothingLibrary.CodeObject());
        using HipFunction kernel = module.GetFunction(arguments.Text("--kernel") ?? "kernel");
        using HipGraph graph = stream.Record((stream, kernel, memory), static with => Step(with.stream, with.kernel, with.memory));
        using HipGraphExec executable = graph.Instantiate();

        // Once at full length, so that what is compiled quickly at first is compiled well by then.
        for (int i = 0; i < 300; i++) Step(stream, kernel, memory);
        executable.Launch(stream);
        Print("call of an empty function", options.Time(static () => CallMany()), Launches, options);
        Print($"packing {Arguments} arguments", options.Time(() => PackMany(memory)), Launches, options);
        Print("launch of packed arguments", options.Time(() => LaunchMany(stream, kernel)), Launches, options);
        Print($"packing and launch, as a step of {Launches} does", options.Time(() => Step(stream, kernel, memory)), Launches, options);
        Print("launch of a graph, a whole step", options.Time(() => executable.Launch(stream)), 1, options);

        long allocated = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) Step(stream, kernel, memory);
        for (int i = 0; i < 100; i++) executable.Launch(stream);
        Console.WriteLine($"managed bytes allocated by 100 eager and 100 captured steps: {GC.GetAllocatedBytesForCurrentThread() - allocated}");
    }

    private static void CallMany()
    {
        for (int i = 0; i < Launches; i++) _ = HipApi.hipGetLastError();
    }

    private static void PackMany(DeviceMemoryHandle memory)
    {
        Span<byte> buffer = stackalloc byte[256];
        for (int i = 0; i < Launches; i++) Pack(buffer, memory, i);
    }

    private static void LaunchMany(HipStream stream, HipFunction kernel)
    {
        Span<byte> buffer = stackalloc byte[Arguments * 8];
        buffer.Clear();
        for (int i = 0; i < Launches; i++) kernel.Launch(stream, new HipDim3(64), new HipDim3(256), 0, buffer);
    }

    private static void Step(HipStream stream, HipFunction kernel, DeviceMemoryHandle memory)
    {
        Span<byte> buffer = stackalloc byte[256];
        for (int i = 0; i < Launches; i++) kernel.Launch(stream, new HipDim3(64), new HipDim3(256), 0, Pack(buffer, memory, i));
    }

    // Eight buffers, four counts, four scalars: what a fused attention kernel takes.
    private static ReadOnlySpan<byte> Pack(Span<byte> buffer, DeviceMemoryHandle memory, int step)
    {
        var arguments = new KernargWriter(buffer);
        for (int k = 0; k < Arguments / 2; k++) arguments.Add(memory, k * 4096);
        for (int k = 0; k < Arguments / 4; k++) arguments.Add(step + k);
        for (int k = 0; k < Arguments / 4; k++) arguments.Add(0.5f * k);
        return arguments.Written;
    }

    private static void Print(string name, (double Median, double Best) time, int count, BenchOptions options) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{name,-44} {time.Median * 1e9 / count,8:F1} ns (best {time.Best * 1e9 / count:F1}), {options.Repetitions} repetitions"));

    /// <summary>The tests' fake runtime, compiled so that launches do nothing.</summary>
    private sealed class NothingLibrary : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("rocm-inference-bench-").FullName;

        public string Build()
        {
            string source = Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Native.Tests", "native", "fake_hip.c");
            string library = Path.Combine(_folder, "libamdhip64.so.6");
            using Process compiler = Process.Start("cc", ["-shared", "-fPIC", "-O2", "-DNOTHING", "-o", library, source]);
            compiler.WaitForExit();
            return compiler.ExitCode == 0 ? library : throw new InvalidOperationException($"cc cannot compile {source}.");
        }

        // A header is all that the fake runtime looks at; 0x41 is gfx1100.
        public static byte[] CodeObject()
        {
            byte[] image = new byte[128];
            "\u007fELF\u0002\u0001\u0001\u0040\u0002"u8.CopyTo(image);
            (image[18], image[48]) = (224, 0x41);
            return image;
        }

        public void Dispose() => Directory.Delete(_folder, recursive: true);
    }
}
