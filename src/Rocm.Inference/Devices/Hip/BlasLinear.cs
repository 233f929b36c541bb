using System.Collections.Concurrent;
using System.Numerics;
using Rocm.Inference.Native.HipBlasLt;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// Products of many rows by hipBLASLt, where it was faster than linear_tiled when both were timed: at the first product of a shape, on its own operands. Rows count
/// by powers of two there. Recorded work never comes here: its steps decode, which are few rows. Owns the library's handle. Thread-safe.
/// </summary>
/// <param name="blas">hipBLASLt on the GPU, owned from here on.</param>
/// <param name="use">Which products it takes.</param>
internal sealed class BlasLinear(HipBlasLtContext blas, HipBlasLtUse use) : IDisposable
{
    /// <summary>Below, weights are read for so few rows that no kernel can gain much on linear_skinny and linear_tiled.</summary>
    public const int MinRows = 256;

    // Beyond, products are left to this library's kernel. A plan is half a kilobyte and some calls. Prompts of ever new lengths must not fill memory with them.
    private const int MaxPlans = 512;

    // Kernels with scratch memory cut the inputs in parts, which products of many rows do not need.
    private const long WorkspaceBytes = 0;

    private readonly ConcurrentDictionary<PlanKey, HipBlasLtLinear?> _plans = new();
    private readonly ConcurrentDictionary<Shape, bool> _isFaster = new();
    private readonly Lock _gate = new();

    private long _numProducts;

    /// <summary>Products that hipBLASLt computed so far.</summary>
    internal long NumProducts => Volatile.Read(ref _numProducts);

    /// <summary>Enqueues y = x · wᵀ if hipBLASLt is to compute it.</summary>
    /// <param name="lane">Where.</param>
    /// <param name="input">x, bf16.</param>
    /// <param name="weight">w.</param>
    /// <param name="output">y, bf16 or f32.</param>
    /// <param name="own">This library's kernel for it.</param>
    /// <param name="args">Its arguments.</param>
    /// <returns>False: it is left to this library's kernel.</returns>
    public bool TryRun(HipContext lane, in HipOperand input, HipPackedWeight weight, in HipOperand output, in LinearLaunch own, in LinearArgs args)
    {
        HipWeightLayout layout = weight.Layout;
        if (input.Rows < MinRows || layout.Format != HipWeightFormat.BF16 || layout.HasBias || lane.IsRecording) return false;
        var shape = new Shape(layout.OutputFeatures, layout.InputFeatures, (int)BitOperations.RoundUpToPowerOf2((uint)input.Rows), output.DType == DType.F32);

        // What is known to be slower needs no plan.
        bool? isFaster = use == HipBlasLtUse.Always ? true : _isFaster.TryGetValue(shape, out bool known) ? known : null;
        if (isFaster == false || PlanOf(input, layout, output) is not { } plan) return false;
        isFaster ??= _isFaster.GetOrAdd(shape, Time(lane, plan, input.Address, weight.Address, output.Address) < Time(lane, own, args));
        if (isFaster == false) return false;
        plan.Run(lane.Stream, input.Address, weight.Address, output.Address, 0);
        Interlocked.Increment(ref _numProducts);
        return true;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (HipBlasLtLinear? plan in _plans.Values) plan?.Dispose();
            _plans.Clear();
        }

        blas.Dispose();
    }

    private HipBlasLtLinear? PlanOf(in HipOperand input, in HipWeightLayout layout, in HipOperand output)
    {
        var key = new PlanKey(
            new HipBlasLtShape((int)input.Rows, layout.OutputFeatures, layout.InputFeatures, input.Stride, layout.RowBytes / sizeof(ushort), output.Stride), output.DType);
        if (_plans.TryGetValue(key, out HipBlasLtLinear? plan)) return plan;
        lock (_gate)
        {
            if (_plans.TryGetValue(key, out plan)) return plan;
            if (_plans.Count >= MaxPlans) return null;
            plan = HipBlasLtLinear.TryPlan(blas, key.Shape, HipDataType.BFloat16, output.DType == DType.F32 ? HipDataType.Float32 : HipDataType.BFloat16, WorkspaceBytes);
            _plans[key] = plan;
            return plan;
        }
    }

    private static double Time(HipContext lane, HipBlasLtLinear plan, nint input, nint weight, nint output)
    {
        using var timer = new LaunchTimer(lane);
        do plan.Run(lane.Stream, input, weight, output, 0);
        while (timer.IsToRunAgain());
        return timer.Milliseconds;
    }

    private static double Time(HipContext lane, in LinearLaunch own, in LinearArgs args)
    {
        using var timer = new LaunchTimer(lane);
        do own.Enqueue(lane, args);
        while (timer.IsToRunAgain());
        return timer.Milliseconds;
    }

    private readonly record struct PlanKey(HipBlasLtShape Shape, DType OutputType);

    private readonly record struct Shape(int Outputs, int Inputs, int Rows, bool IsF32);
}
