using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.HipBlasLt;
using Rocm.Inference.Native.Hiprtc;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// An AMD GPU as a device. Thread-safe: each context has a stream of its own. Dispose it after every context, weight and buffer.
/// Activations are bf16, products accumulate in f32.
/// </summary>
internal sealed class HipGpu : IDevice
{
    // Some hundred tables, beside the compiled kernels.
    private const long MaxTimesBytes = 1 << 20;
    private const string TimesExtension = ".times";

    private readonly HipDevice _device;
    private readonly HipWeightPacker _packer;
    private readonly AiterAttentionKernels _aiter;
    private readonly BlasLinear? _blas;

    /// <summary>Opens a device; compiles and loads nothing yet.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="compiler">hipRTC behind its cache, for kernels without precompiled code; null: there is none.</param>
    /// <param name="aiter">AITER's kernels, owned from here on; null: there are none.</param>
    /// <param name="aiterAbsence">Why there are none, a sentence.</param>
    /// <param name="allowFp8Activations">See <see cref="InferenceSessionOptions.AllowFp8Activations"/>.</param>
    /// <param name="choice">How to choose between AITER's kernels and this library's.</param>
    /// <param name="times">Where times are kept that are measured for it; null: nowhere.</param>
    /// <param name="blas">hipBLASLt for large products, owned from here on; null: there is none.</param>
    /// <param name="clock">Microseconds of enqueued work, by which attention kernels are chosen; null: by events of the stream.</param>
    public HipGpu(
        HipDevice device, RuntimeKernelCompiler? compiler, AiterKernelLibrary? aiter = null, string aiterAbsence = "AITER was not looked for.",
        bool allowFp8Activations = false, AiterKernelChoice choice = AiterKernelChoice.Always, CodeObjectCache? times = null, BlasLinear? blas = null,
        Func<HipContext, Action, double>? clock = null)
    {
        _device = device;
        Library = new KernelLibrary(device, compiler);
        _packer = new HipWeightPacker(this);
        AiterLinear = new AiterLinear(aiter, aiterAbsence, allowFp8Activations) { Choice = choice, TimesCache = times };
        _blas = blas;
        var ops = new HipKernels(Library, blas);
        Kernels = ops;
        var attention = new HipAttentionKernels(this);
        AttentionKernels = attention;
        _aiter = new AiterAttentionKernels(attention, aiter, aiterAbsence, allowFp8Activations) { Choice = choice, TimesCache = times, Clock = clock };
        Experts = new AiterExperts(this, ops, aiter, aiterAbsence, allowFp8Activations) { Choice = choice, TimesCache = times };
        ShufflesWeights = AiterLinear.MayRun || Experts.MayRun;
        SamplingKernels = new HipSamplingKernels(Library);
    }

    /// <summary>Opens a device of the runtime that was found, with its hipRTC, where there is one, and the user's cache of compiled kernels.</summary>
    /// <exception cref="HipException">The runtime is too old, or hipRTC does not answer.</exception>
    public static HipGpu Open(HipRuntimeReport report, HipDeviceInfo device, InferenceSessionOptions options)
    {
        HipRuntime runtime = HipRuntime.Of(report);
        CodeObjectCache cache = CodeObjectCache.OfUser();
        RuntimeKernelCompiler? compiler = report.HiprtcVersion is null
            ? null : new RuntimeKernelCompiler(HiprtcCompiler.Load(runtime.LibraryPath, runtime.Version), cache);
        HipDevice opened = runtime.Open(device.Ordinal);
        AiterKernelLibrary? aiter = OpenAiter(opened, options, out string absence);
        var times = new CodeObjectCache(cache.Folder, MaxTimesBytes, TimesExtension);
        return new HipGpu(opened, compiler, aiter, absence, options.AllowFp8Activations, options.AiterKernelChoice, times, OpenBlas(runtime, opened, options));
    }

    public DeviceKind Kind => DeviceKind.Hip;

    public string Name => _device.Info.Name;

    public string Architecture => _device.Info.Target ?? "unknown";

    public int ComputeUnits => _device.Info.ComputeUnits;

    public long TotalMemoryBytes => _device.Memory().Total;

    public long AvailableMemoryBytes => _device.Memory().Free;

    public DType ActivationDType => DType.BF16;

    /// <summary>The GPU behind this device.</summary>
    public HipDevice Native => _device;

    /// <summary>Its kernels.</summary>
    public KernelLibrary Library { get; }

    /// <summary>AITER's kernels for products with fp8 weights.</summary>
    internal AiterLinear AiterLinear { get; }

    /// <summary>Weights that AITER's products of fp8 matrices can take are packed as those read them; this library's kernels read them, too.</summary>
    internal bool ShufflesWeights { get; init; }

    /// <summary>Lanes of a wave: 64 or 32.</summary>
    public int WaveSize => _device.Info.WaveSize;

    /// <summary>AITER's kernels for the experts of mixtures.</summary>
    internal AiterExperts Experts { get; }

    public IKernels Kernels { get; }

    public IAttentionKernels AttentionKernels { get; }

    public ISamplingKernels SamplingKernels { get; }

    IKernels IDevice.Kernels => Kernels;

    IAttentionKernels IDevice.AttentionKernels => AttentionKernels;

    IAttentionKernels IDevice.AiterAttentionKernels => _aiter;

    ISamplingKernels IDevice.SamplingKernels => SamplingKernels;

    void IDevice.TuneAttention(AttentionSpec spec, BatchLimits limits, int blockSize, CancellationToken cancellationToken) =>
        _aiter.Tune(spec, limits, blockSize, cancellationToken);

    bool IDevice.HasAiter => _aiter.HasLibrary;

    KernelProvider IDevice.ProviderOf(AiterPrimitive primitive, AttentionSpec spec) => _aiter.ProviderOf(primitive, spec);

    IFusedExperts? IDevice.FuseExperts(
        MoeRouting routing, ReadOnlySpan<WeightSource> gateUp, ReadOnlySpan<WeightSource> down, ActivationKind activation, out IReadOnlyList<string> reasons) =>
        Experts.Fuse(routing, gateUp, down, activation, out reasons);

    /// <summary>How weights are packed.</summary>
    internal HipWeightLayout LayoutOf(ReadOnlySpan<WeightSource> members) => _packer.LayoutOf(members);

    /// <inheritdoc/>
    public DeviceBuffer Allocate(long sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeBytes);
        DeviceMemoryHandle memory = AllocateMemory(Math.Max(sizeBytes, 1));
        try
        {
            using HipStream stream = _device.CreateStream();
            stream.Fill(memory, 0, memory.Bytes, 0);
            stream.Synchronize();
            return new DeviceBuffer(this, memory, memory.Value, sizeBytes, isHostAccessible: false);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    long IDevice.LinearScratchBytes(in WeightSource weight, int rows) => AiterLinear.ScratchBytes(weight, rows);

    bool IDevice.RoundsInputs(PackedWeight weight, int rows) => HipPackedWeight.Of(weight).Aiter is { } aiter && aiter.Takes(rows);

    void IDevice.TuneLinear(IEnumerable<WeightSource> weights, int maxRows, CancellationToken cancellationToken) =>
        AiterLinear.Tune(this, weights, maxRows, cancellationToken);

    KernelProvider IDevice.ProviderOf(IEnumerable<WeightSource> weights) => AiterLinear.ProviderOf(weights);

    public DeviceContext CreateContext(long arenaBytes)
    {
        DeviceBuffer arena = Allocate(arenaBytes);
        try
        {
            return new HipContext(this, arena);
        }
        catch
        {
            arena.Dispose();
            throw;
        }
    }

    PackedWeight IDevice.Pack(in WeightSource source) => _packer.Pack(source);

    PackedWeightGroup IDevice.PackGroup(ReadOnlySpan<WeightSource> members) => _packer.PackGroup(members);

    public void Dispose()
    {
        _packer.Dispose();
        _aiter.Dispose();
        _blas?.Dispose();
        Library.Dispose();
    }

    // Absent, too old or broken, it is not needed.
    private static BlasLinear? OpenBlas(HipRuntime runtime, HipDevice device, InferenceSessionOptions options)
    {
        if (options.HipBlasLt == HipBlasLtUse.Never) return null;
        try
        {
            return HipBlasLtContext.TryCreate(runtime.LibraryPath, device, out _) is { } context ? new BlasLinear(context, options.HipBlasLt) : null;
        }
        catch (HipException)
        {
            return null;
        }
    }

    private static AiterKernelLibrary? OpenAiter(HipDevice device, InferenceSessionOptions options, out string absence)
    {
        absence = $"AITER's kernels are not wanted (option {nameof(InferenceSessionOptions.AiterKernels)}).";
        if (options.AiterKernels == AiterKernelUse.Never) return null;
        AiterLocation location = AiterInstallation.Locate(AiterSearch.FromEnvironment(options.AiterPath));
        absence = location.ToString();
        return location.Installation is { } installation
            ? AiterKernelLibrary.Open(device, installation, options.AiterKernels == AiterKernelUse.Any, out absence) : null;
    }

    private DeviceMemoryHandle AllocateMemory(long bytes)
    {
        try
        {
            return _device.Allocate(bytes);
        }
        catch (HipOutOfMemoryException e)
        {
            long free = _device.Memory().Free;
            throw new DeviceMemoryException($"{Name} has no room for {bytes} bytes; {free} are free. Choose a smaller model, a shorter context or a smaller cache.", e)
            {
                RequestedBytes = bytes,
                AvailableBytes = free,
            };
        }
    }
}
