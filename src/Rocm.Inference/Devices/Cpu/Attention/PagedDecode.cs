namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Attention of rows with few queries in partitions of 256 keys (vLLM's paged attention), each with fp32 partial results, and a reduce in the order of the
/// partitions. It shares the inner loops with unified attention; partitions are its segments, so that blocks of 16, 32, 64, 128 and 256 tokens never
/// straddle one.
/// </summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    private const int PartitionLen = 256;

    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args)
    {
        AttentionJob job = Describe(args);
        job.SegmentLen = PartitionLen;
        RunPaged(context, job, args);
    }

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => PagedScratchBytes(spec, limits, PartitionLen);
}
