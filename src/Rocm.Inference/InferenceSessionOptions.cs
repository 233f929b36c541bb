using System.ComponentModel.DataAnnotations;

namespace Rocm.Inference;

/// <summary>
/// What a session needs to know, as data: every property can be bound from configuration. What is not data (loggers, meters, own attention
/// backends, a shared device) goes through <see cref="InferenceSessionBuilder"/>. Read once, when the session is built.
/// </summary>
public sealed class InferenceSessionOptions
{
    /// <summary>Folder of a Hugging Face model: <c>config.json</c>, <c>tokenizer.json</c> and safetensors files.</summary>
    /// <value>Required;
    /// <see cref="InferenceSession.LoadAsync(string, InferenceSessionOptions?, IProgress{ModelLoadProgress}?, CancellationToken)"/> sets
    /// it.</value>
    [Required]
    public string? ModelPath { get; set; }

    /// <summary>Where to run.</summary>
    /// <value>Default: the environment variable <c>ROCM_INFERENCE_DEVICE</c> (auto, cpu or hip), else
    /// <see cref="DevicePreference.Auto"/>.</value>
    [EnumDataType(typeof(DevicePreference))]
    public DevicePreference? Device { get; set; }

    /// <summary>Which GPU, counted as HIP counts them.</summary>
    /// <value>Default: the largest discrete GPU; with <see cref="DevicePreference.Hip"/>, where there is none, the largest integrated one.</value>
    [Range(0, 255)]
    public int? DeviceIndex { get; set; }

    /// <summary>
    /// Name of the attention backend to use, for example <c>TRITON_ATTN</c>; loading fails with the reasons if it cannot serve the model.
    /// </summary>
    /// <value>Default: the environment variable <c>ROCM_INFERENCE_ATTENTION_BACKEND</c>, else the best backend that supports the
    /// model.</value>
    [StringLength(100, MinimumLength = 1)]
    public string? AttentionBackend { get; set; }

    /// <summary>Whose order of preference is used when <see cref="AttentionBackend"/> is left open.</summary>
    [EnumDataType(typeof(AttentionPreset))]
    public AttentionPreset AttentionPreset { get; set; }

    /// <summary>
    /// Where AITER, AMD's library of assembly kernels, is installed: a checkout, a site-packages folder or an hsa folder. Backends named after it take its
    /// kernels where they fit, and run without them where not; <see cref="InferenceSession.Attention"/> tells which.
    /// </summary>
    /// <value>Default: the environment variable <c>ROCM_INFERENCE_AITER_PATH</c>, else AITER's own variables and the usual Python folders.</value>
    [StringLength(4096, MinimumLength = 1)]
    public string? AiterPath { get; set; }

    /// <summary>Which products AMD's hipBLASLt computes on a GPU, where it is found beside HIP; never required.</summary>
    /// <value>Default: those at which it is faster.</value>
    [EnumDataType(typeof(HipBlasLtUse))]
    public HipBlasLtUse HipBlasLt { get; set; }

    /// <summary>Which of AITER's kernels may run.</summary>
    [EnumDataType(typeof(AiterKernelUse))]
    public AiterKernelUse AiterKernels { get; set; }

    /// <summary>How one is chosen where this library has a kernel for the same work, which is always.</summary>
    [EnumDataType(typeof(AiterKernelChoice))]
    public AiterKernelChoice AiterKernelChoice { get; set; }

    /// <summary>
    /// Lets AITER's kernels round activations to 8-bit floats where they multiply them with an fp8 cache: queries and attention probabilities; with fp8 weights: rows
    /// (<see cref="ModelInfo.LinearProvider"/> tells); and with fp8 experts: rows, and what lies between the two products of an expert
    /// (<see cref="ModelInfo.ExpertsProvider"/> tells). Faster, and less exact by some percent of a result, and a row may have other bits in steps of other sizes;
    /// this library's own kernels round none of them.
    /// <para>
    /// AITER's experts add up their results in bf16 in no fixed order: the last bits of a row depend on chance, and where two tokens are nearly as likely, so does the
    /// answer, even at temperature 0 or with a seed.
    /// </para>
    /// </summary>
    /// <value>Default: false.</value>
    public bool AllowFp8Activations { get; set; }

    /// <summary>Longest sequence, prompt and answer together, in tokens.</summary>
    /// <value>Default: what the model was made for, reduced to what the KV cache can hold.</value>
    [Range(1, 16 * 1024 * 1024)]
    public int? MaxModelLen { get; set; }

    /// <summary>
    /// Most tokens computed in one step, over all requests: larger is better for throughput, smaller for latency and memory.
    /// </summary>
    /// <value>Default: 2048; the longest sequence if that is more and chunked prefill is off.</value>
    [Range(1, 1024 * 1024)]
    public int? MaxNumBatchedTokens { get; set; }

    /// <summary>Most requests that run at once; more wait in a queue.</summary>
    /// <value>Default: 64, or <see cref="MaxNumBatchedTokens"/> if that is less.</value>
    [Range(1, 4096)]
    public int? MaxNumRequests { get; set; }

    /// <summary>Tokens in a block of the KV cache.</summary>
    /// <value>Default: what the attention backend prefers, usually 16.</value>
    [Range(1, 1024)]
    public int? BlockSize { get; set; }

    /// <summary>Element type of the KV cache.</summary>
    [EnumDataType(typeof(KvCacheDType))]
    public KvCacheDType KvCacheDType { get; set; }

    /// <summary>Memory for the KV cache in bytes; wins over <see cref="KvCacheMemoryFraction"/>.</summary>
    /// <value>Default: see <see cref="KvCacheMemoryFraction"/>.</value>
    [Range(1L, long.MaxValue)]
    public long? KvCacheMemoryBytes { get; set; }

    /// <summary>Share of the memory that is still available after the weights that the KV cache may take, above 0 and at most 1.</summary>
    /// <value>Default: 0.5 on the CPU and 0.9 on a GPU, and never more than all requests at full length need.</value>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double? KvCacheMemoryFraction { get; set; }

    /// <summary>Whether requests with the same beginning share its cached blocks.</summary>
    public bool EnablePrefixCaching { get; set; } = true;

    /// <summary>Whether a long prompt may be computed in several steps, between which other requests go on.</summary>
    public bool EnableChunkedPrefill { get; set; } = true;

    /// <summary>
    /// Whether a GPU records decode steps as graphs and replays them, one call for a step. The CPU device has none.
    /// </summary>
    public bool EnableDeviceGraphs { get; set; } = true;

    /// <summary>
    /// Whether loading first compares the GPU kernels that the session will use with a naive implementation (<see cref="DeviceSelfTest"/> at the model's
    /// own shapes), and refuses a GPU that computes something wrong. Takes some seconds, on the CPU device nothing. For hardware and drivers that are new.
    /// </summary>
    public bool VerifyKernels { get; set; }

    /// <summary>Threads of the CPU device.</summary>
    /// <value>Default: the processors that the process may use (affinity and container limits are honoured).</value>
    [Range(1, 1024)]
    public int? NumThreads { get; set; }

    /// <summary>With dependency injection: whether the host loads the model when it starts, or the first call does.</summary>
    public bool LoadOnStart { get; set; } = true;

    internal InferenceSessionOptions Clone() => (InferenceSessionOptions)MemberwiseClone();
}
