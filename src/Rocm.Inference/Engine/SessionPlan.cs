using Rocm.Inference.Attention;
using Rocm.Inference.Devices;
using Rocm.Inference.KvCache;
using Rocm.Inference.Models;

namespace Rocm.Inference.Engine;

/// <summary>
/// Everything about a session that is decided before any weight is uploaded: element type of the cache, attention backend, layer groups, longest
/// sequence, sizes of arena and cache.
/// </summary>
internal sealed class SessionPlan : IDisposable
{
    private const int DefaultNumBatchedTokens = 2048;
    private const int DefaultNumRequests = 64;

    private SessionPlan(DecoderPlan decoder, IAttentionBackend backend, AttentionSelection selection)
    {
        Decoder = decoder;
        Backend = backend;
        Selection = selection;
        Layout = backend.GetKvCacheLayout(decoder.Groups.Groups[0].Spec);
    }

    public DecoderPlan Decoder { get; }

    public IAttentionBackend Backend { get; }

    public AttentionSelection Selection { get; }

    public KvCacheLayout Layout { get; }

    public int BlockSize { get; private init; }

    public BatchLimits Limits { get; private init; }

    public int MaxModelLen => Memory.MaxModelLen;

    public long ArenaBytes { get; private init; }

    public required IReadOnlyList<KvCacheGroup> Groups { get; init; }

    public required KvMemoryPlan Memory { get; init; }

    /// <summary>Decides. The caller disposes the result.</summary>
    /// <exception cref="ModelLoadException">The checkpoint does not fit its config.</exception>
    /// <exception cref="AttentionNotSupportedException">No attention backend fits.</exception>
    /// <exception cref="DeviceMemoryException">It cannot fit in memory.</exception>
    public static SessionPlan Make(ModelFolder folder, SessionSettings settings, SessionServices services, IDevice device)
    {
        int context = folder.Config.Decoder.Dimensions.MaxPositionEmbeddings;
        int length = settings.Options.MaxModelLen ?? context;
        DType? cacheType = ExplicitCacheType(settings.Options.KvCacheDType);

        // What is decided from the plan (element type of the cache, a length that fits) goes into a plan of its own: rope tables, windows and
        // scratch depend on it. The second plan repeats the reading of headers, not of weights.
        DecoderPlan decoder = Open(folder, length, cacheType ?? DType.BF16, device);
        try
        {
            DType weightType = decoder.Sources.Embedding.Parts.Span[0].DType;
            // Only the CPU's kernels read a cache of another 16-bit type than that of the activations.
            if (cacheType is null && weightType == DType.F16 && device.ActivationDType == DType.F32)
            {
                cacheType = weightType;
                decoder = Reopen(decoder, folder, length, weightType, device);
            }

            SessionPlan plan = Make(decoder, length, settings, services, device);
            if (plan.MaxModelLen == length) return plan;
            length = plan.MaxModelLen;
            decoder = Reopen(decoder, folder, length, cacheType ?? DType.BF16, device);
            return Make(decoder, length, settings, services, device);
        }
        catch
        {
            decoder.Dispose();
            throw;
        }
    }

    public ModelInfo Describe(ModelFolder folder, DecoderModel model, IDevice device)
    {
        KernelProvider linear = device.ProviderOf(Decoder.Sources.Products);
        KernelProvider? experts = ExpertsProvider(device);
        DecoderDimensions dimensions = folder.Config.Decoder.Dimensions;
        return new ModelInfo
        {
            Name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder.Path)),
            Path = folder.Path,
            Architecture = folder.Config.Architecture.Length > 0 ? folder.Config.Architecture : folder.Config.ModelType,
            VocabSize = dimensions.VocabSize,
            ContextLength = dimensions.MaxPositionEmbeddings,
            MaxModelLen = MaxModelLen,
            NumLayers = dimensions.NumLayers,
            HiddenSize = dimensions.HiddenSize,
            NumQoHeads = dimensions.NumQoHeads,
            NumKvHeads = dimensions.NumKvHeads,
            ParameterCount = Decoder.ParameterCount,
            WeightBytes = model.ResidentBytes,
            DType = Decoder.WeightDType,
            KvCacheDType = Decoder.Settings.KvDType,
            KvCacheBytes = Memory.CacheBytes,
            KvCacheTokens = (Memory.NumBlocks - 1L) * BlockSize / Groups.Count,
            LinearProvider = linear.Name,
            LinearProviderReasons = linear.Reasons,
            ExpertsProvider = experts?.Name,
            ExpertsProviderReasons = experts?.Reasons ?? [],
        };
    }

    public void Dispose() => Decoder.Dispose();

    // Of the first layer that has experts; all have them alike.
    private KernelProvider? ExpertsProvider(IDevice device)
    {
        foreach ((IFusedExperts? fused, IReadOnlyList<string>? reasons) in Decoder.Experts(device))
        {
            if (reasons is not null) return fused?.Provider ?? new KernelProvider(device.Kind == DeviceKind.Cpu ? "cpu" : "hip", reasons);
        }

        return null;
    }

    private static SessionPlan Make(DecoderPlan decoder, int length, SessionSettings settings, SessionServices services, IDevice device)
    {
        InferenceSessionOptions options = settings.Options;
        AttentionSpec[] specs = [.. decoder.Groups.Groups.Select(group => group.Spec)];
        AttentionBackendChoice? choice = settings.AttentionBackend.Value is { } name
            ? new AttentionBackendChoice(name, settings.AttentionBackend.Source) : null;
        (IAttentionBackend backend, AttentionSelection selection) =
            new AttentionBackendSelector([.. services.AttentionBackends.Select(r => (r.Backend, r.Priority))], options.AttentionPreset, device.HasAiter)
                .Select(specs, device, choice);
        KvCacheLayout layout = backend.GetKvCacheLayout(specs[0]);
        int blockSize = options.BlockSize ?? layout.PreferredBlockSize;
        if (blockSize % layout.BlockSizeMultiple != 0)
        {
            throw new AttentionNotSupportedException(
                $"{backend.Name} needs a {nameof(InferenceSessionOptions.BlockSize)} that is a multiple of {layout.BlockSizeMultiple}, not {blockSize}.");
        }

        int maxTokens = options.MaxNumBatchedTokens
            ?? (options.EnableChunkedPrefill ? Math.Min(DefaultNumBatchedTokens, Math.Max(length, DefaultNumRequests)) : Math.Max(DefaultNumBatchedTokens, length));
        int maxRows = Math.Min(options.MaxNumRequests ?? DefaultNumRequests, maxTokens);
        var limits = new BatchLimits(maxTokens, maxRows, length);
        long workspace = specs.Max(spec => backend.WorkspaceBytes(spec, device, limits));
        long logits = (long)maxRows * decoder.Config.Decoder.Dimensions.VocabSize * sizeof(float);
        long arena = decoder.ScratchBytes(limits, device, workspace) + logits + 4096;
        KvCacheGroup[] groups = [.. decoder.Groups.Groups.Select(group => new KvCacheGroup(group.Index, blockSize, group.Window))];
        KvMemoryPlan memory = KvMemoryPlan.Make(new KvMemoryPlan.Needs
        {
            Groups = groups,
            BlockBytes = decoder.Groups.BytesPerBlock(blockSize),
            AvailableBytes = device.AvailableMemoryBytes,
            WeightBytes = decoder.WeightBytes,
            ScratchBytes = arena,
            Fraction = options.KvCacheMemoryFraction ?? (device.Kind == DeviceKind.Cpu ? 0.5 : 0.9),
            CacheBytes = options.KvCacheMemoryBytes,
            WantedModelLen = length,
            IsModelLenExplicit = options.MaxModelLen is not null,
            MaxNumRequests = maxRows,
            MaxNumBatchedTokens = maxTokens,
        });
        return new SessionPlan(decoder, backend, selection)
        {
            BlockSize = blockSize, Limits = limits, ArenaBytes = arena, Groups = groups, Memory = memory,
        };
    }

    private static DecoderPlan Open(ModelFolder folder, int length, DType cacheType, IDevice device) =>
        DecoderPlan.Create(folder, new ModelRuntimeSettings(length, cacheType), device.ActivationDType, ParallelContext.Single);

    private static DecoderPlan Reopen(DecoderPlan decoder, ModelFolder folder, int length, DType cacheType, IDevice device)
    {
        DecoderPlan again = Open(folder, length, cacheType, device);
        decoder.Dispose();
        return again;
    }

    private static DType? ExplicitCacheType(KvCacheDType type) => type switch
    {
        KvCacheDType.BF16 => DType.BF16,
        KvCacheDType.F16 => DType.F16,
        KvCacheDType.F32 => DType.F32,
        KvCacheDType.F8E4M3Fn => DType.F8E4M3Fn,
        KvCacheDType.F8E4M3Fnuz => DType.F8E4M3Fnuz,
        KvCacheDType.F8E5M2 => DType.F8E5M2,
        _ => null,
    };
}
