using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.HipBlasLt;

/// <summary>
/// One planned product y[rows, outputs] = x[rows, inputs] · wᵀ[outputs, inputs], all row-major, fp32 accumulation. The library counts in
/// columns, so it is told yᵀ = w · xᵀ: w is transposed, its "m" is the outputs and its "n" the rows.
/// </summary>
internal sealed unsafe class HipBlasLtLinear : IDisposable
{
    private const int TransposeA = 0;
    private const int TransposeB = 1;
    private const int OperationNone = 111;
    private const int OperationTranspose = 112;
    private const int ComputeFloat32 = 2;
    private const int MaxWorkspaceBytes = 1;

    private readonly HipBlasLtContext _context;
    private readonly BlasLtMatmulDescHandle _descriptor;
    private readonly BlasLtLayoutHandle _weight;
    private readonly BlasLtLayoutHandle _input;
    private readonly BlasLtLayoutHandle _output;
    private HipBlasLtAlgo _algorithm;

    private HipBlasLtLinear(HipBlasLtContext context)
    {
        HandleLedger? ledger = context.Device.Ledger;
        _context = context;
        _descriptor = new BlasLtMatmulDescHandle(ledger);
        (_weight, _input, _output) = (new BlasLtLayoutHandle(ledger), new BlasLtLayoutHandle(ledger), new BlasLtLayoutHandle(ledger));
    }

    /// <summary>Scratch memory that <see cref="Run"/> needs.</summary>
    internal long WorkspaceBytes { get; private set; }

    /// <summary>Plans a product.</summary>
    /// <param name="context">The library.</param>
    /// <param name="shape">Sizes and distances of rows.</param>
    /// <param name="type">Elements of x and w.</param>
    /// <param name="outputType">Elements of y.</param>
    /// <param name="maxWorkspaceBytes">Scratch memory that may be asked for.</param>
    /// <returns>Null when the library has no kernel for it within the workspace: it finds none, or its search for one fails, which real versions do instead.</returns>
    internal static HipBlasLtLinear? TryPlan(HipBlasLtContext context, in HipBlasLtShape shape, HipDataType type, HipDataType outputType, long maxWorkspaceBytes)
    {
        var plan = new HipBlasLtLinear(context);
        try
        {
            plan.Describe(shape, type, outputType);
            if (plan.Choose(maxWorkspaceBytes)) return plan;
            plan.Dispose();
            return null;
        }
        catch
        {
            plan.Dispose();
            throw;
        }
    }

    /// <summary>Enqueues the product. Allocates nothing.</summary>
    /// <param name="stream">A stream of the context's device.</param>
    /// <param name="input">Address of x.</param>
    /// <param name="weight">Address of w.</param>
    /// <param name="output">Address of y.</param>
    /// <param name="workspace">Address of <see cref="WorkspaceBytes"/> bytes.</param>
    internal void Run(HipStream stream, nint input, nint weight, nint output, nint workspace)
    {
        float one = 1, zero = 0;
        HipBlasLtAlgo algorithm = _algorithm;
        HipBlasLtStatus.ThrowIfFailed(
            HipBlasLtApi.hipblasLtMatmul(
                _context.Handle, _descriptor, &one, weight, _weight, input, _input, &zero, output, _output, output, _output, &algorithm, workspace,
                (nuint)WorkspaceBytes, stream.Handle),
            _context.Device.Ordinal);
    }

    public void Dispose()
    {
        _descriptor.Dispose();
        _weight.Dispose();
        _input.Dispose();
        _output.Dispose();
    }

    private void Describe(in HipBlasLtShape shape, HipDataType type, HipDataType outputType)
    {
        int device = _context.Device.Ordinal;
        nint created;
        HipBlasLtStatus.ThrowIfFailed(HipBlasLtApi.hipblasLtMatmulDescCreate(&created, ComputeFloat32, HipDataType.Float32), device);
        _descriptor.Adopt(created);
        int transposed = OperationTranspose, plain = OperationNone;
        HipBlasLtStatus.ThrowIfFailed(HipBlasLtApi.hipblasLtMatmulDescSetAttribute(_descriptor, TransposeA, &transposed, sizeof(int)), device);
        HipBlasLtStatus.ThrowIfFailed(HipBlasLtApi.hipblasLtMatmulDescSetAttribute(_descriptor, TransposeB, &plain, sizeof(int)), device);
        CreateLayout(_weight, type, shape.Inputs, shape.Outputs, shape.WeightStride);
        CreateLayout(_input, type, shape.Inputs, shape.Rows, shape.InputStride);
        CreateLayout(_output, outputType, shape.Outputs, shape.Rows, shape.OutputStride);
    }

    private void CreateLayout(BlasLtLayoutHandle layout, HipDataType type, int contiguous, int count, long stride)
    {
        nint created;
        HipBlasLtStatus.ThrowIfFailed(
            HipBlasLtApi.hipblasLtMatrixLayoutCreate(&created, type, (ulong)contiguous, (ulong)count, stride), _context.Device.Ordinal);
        layout.Adopt(created);
    }

    private bool Choose(long maxWorkspaceBytes)
    {
        int device = _context.Device.Ordinal;
        using var preference = new BlasLtPreferenceHandle(_context.Device.Ledger);
        nint created;
        HipBlasLtStatus.ThrowIfFailed(HipBlasLtApi.hipblasLtMatmulPreferenceCreate(&created), device);
        preference.Adopt(created);
        ulong workspace = (ulong)maxWorkspaceBytes;
        HipBlasLtStatus.ThrowIfFailed(
            HipBlasLtApi.hipblasLtMatmulPreferenceSetAttribute(preference, MaxWorkspaceBytes, &workspace, sizeof(ulong)), device);
        HipBlasLtHeuristicResult best;
        int found = 0;
        int searched = HipBlasLtApi.hipblasLtMatmulAlgoGetHeuristic(_context.Handle, _descriptor, _weight, _input, _output, _output, preference, 1, &best, &found);
        if (searched != HipBlasLtStatus.Success || found < 1 || best.State != HipBlasLtStatus.Success) return false;
        (_algorithm, WorkspaceBytes) = (best.Algorithm, (long)best.WorkspaceBytes);
        return true;
    }
}
