using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Attention of rows with few queries in partitions (vLLM's paged attention), each with fp32 partial results, and a reduce in the order of the partitions.
/// It shares the inner loops with unified attention; partitions are its segments. They are whole tiles: of 256 keys, as in vLLM, the last tile would be a third of one,
/// and there would be half as many more partial results to reduce.
/// </summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    private const int PartitionLen = 8 * Panel.Width;

    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args)
    {
        AttentionJob job = Describe(args);
        job.SegmentLen = PartitionLen;
        RunPaged(context, job, args);
    }

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => PagedScratchBytes(spec, limits, PartitionLen);
}
