using Rocm.Inference.Conformance.Attention;
using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>The CPU device in each vector width. Widths that the processor lacks run through the runtime's fallback: same code, slower.</summary>
internal static class CpuDevices
{
    public static IDevice Create(int numThreads, int vectorBits) => new CpuDevice(new CpuDeviceOptions { NumThreads = numThreads, VectorBits = vectorBits });
}

public sealed class CpuLinear512 : LinearConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuLinear256 : LinearConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuLinear128 : LinearConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuOps512 : OpsConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuOps256 : OpsConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuOps128 : OpsConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuAttention512 : UnifiedAttentionConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuAttention256 : UnifiedAttentionConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuAttention128 : UnifiedAttentionConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuRopeStoreKv512 : RopeStoreKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuRopeStoreKv128 : RopeStoreKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuFlashVarlen512 : FlashVarlenConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuFlashVarlen256 : FlashVarlenConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuFlashVarlen128 : FlashVarlenConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuMergeStates512 : MergeStatesConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuMergeStates128 : MergeStatesConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuMlaDecode512 : MlaDecodeConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuMlaDecode256 : MlaDecodeConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuMlaDecode128 : MlaDecodeConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuSampling : SamplingConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}
