using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Microsoft.Extensions.Logging;
using Rocm.Inference.Devices.Cpu.Attention;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// The host's processors as a device. Thread-safe: contexts of several sessions may run ops at the same time, they take turns on one crew of
/// threads. Dispose it after every context and buffer.
/// </summary>
internal sealed partial class CpuDevice : IDevice
{
    private readonly CpuCrew _crew;
    private readonly IKernels _kernels;
    private readonly IAttentionKernels _attentionKernels;

    public CpuDevice(CpuDeviceOptions? options = null)
    {
        options ??= new CpuDeviceOptions();
        ArgumentOutOfRangeException.ThrowIfNegative(options.NumThreads, nameof(options));

        // The runtime's count honours affinity and the cgroup's processor quota.
        int threads = options.NumThreads == 0 ? Environment.ProcessorCount : options.NumThreads;
        _crew = new CpuCrew(threads);
        int bits = options.VectorBits != 0 ? options.VectorBits
            : Vector512.IsHardwareAccelerated ? 512
            : Vector256.IsHardwareAccelerated ? 256 : 128;
        (_kernels, _attentionKernels) = bits switch
        {
            512 => Create<Simd512, Vector512<float>>(),
            256 => Create<Simd256, Vector256<float>>(),
            128 => Create<Simd128, Vector128<float>>(),
            _ => throw new ArgumentOutOfRangeException(nameof(options), bits, "The vector width is 128, 256 or 512 bits."),
        };
        Architecture = RuntimeInformation.ProcessArchitecture switch
        {
            System.Runtime.InteropServices.Architecture.X64 => bits switch { 512 => "x64-avx512", 256 => "x64-avx2", _ => "x64-sse" },
            System.Runtime.InteropServices.Architecture.Arm64 => "arm64",
            var other => other.ToString(),
        };
        Name = $"{ProcessorName()}, {bits}-bit vectors";
        if (options.Logger is { } logger)
        {
            LogCreated(logger, Name, Architecture, threads);
            if (X86Base.IsSupported && !Vector256.IsHardwareAccelerated && CanAvx2()) LogNarrow(logger);
        }
    }

    public DeviceKind Kind => DeviceKind.Cpu;

    public string Name { get; }

    public string Architecture { get; }

    public int ComputeUnits => _crew.NumThreads;

    public long TotalMemoryBytes => CpuMemoryLimits.TotalBytes;

    public long AvailableMemoryBytes => CpuMemoryLimits.AvailableBytes;

    public DType ActivationDType => DType.F32;

    IKernels IDevice.Kernels => _kernels;

    IAttentionKernels IDevice.AttentionKernels => _attentionKernels;

    ISamplingKernels IDevice.SamplingKernels { get; } = new CpuSamplingKernels();

    public DeviceBuffer Allocate(long sizeBytes)
    {
        CpuMemoryHandle memory = CpuMemoryHandle.Allocate(sizeBytes);
        return new DeviceBuffer(this, memory, memory.DangerousGetHandle(), sizeBytes, isHostAccessible: true);
    }

    public DeviceContext CreateContext(long arenaBytes) => new CpuContext(this, Allocate(arenaBytes));

    PackedWeight IDevice.Pack(in WeightSource source) => PanelWeightPacker.Pack(_crew, source);

    PackedWeightGroup IDevice.PackGroup(ReadOnlySpan<WeightSource> members) => PanelWeightPacker.PackGroup(_crew, members);

    public void Dispose() => _crew.Dispose();

    private (IKernels Kernels, IAttentionKernels Attention) Create<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct =>
        (new CpuKernels<TSimd, TVector>(_crew), new CpuAttentionKernels<TSimd, TVector>(_crew));

    private static bool CanAvx2() => X86Base.CpuId(7, 0) is var (_, ebx, _, _) && (ebx & (1 << 5)) != 0;

    private static string ProcessorName()
    {
        if (OperatingSystem.IsLinux() && File.Exists("/proc/cpuinfo"))
        {
            foreach (string line in File.ReadLines("/proc/cpuinfo"))
            {
                if (line.StartsWith("model name", StringComparison.Ordinal)) return line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
            }
        }

        return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? $"{RuntimeInformation.ProcessArchitecture} processor";
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "CPU device: {Name} ({Architecture}), {Threads} threads")]
    private static partial void LogCreated(ILogger logger, string name, string architecture, int threads);

    [LoggerMessage(Level = LogLevel.Warning, Message = "This processor has AVX2 but the program was compiled without it: kernels run many times slower. Set <IlcInstructionSet>x86-64-v3</IlcInstructionSet> (NativeAOT), or remove DOTNET_EnableAVX2=0.")]
    private static partial void LogNarrow(ILogger logger);
}
