using System.Globalization;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// The experts of layers of one shape by AITER's kernel: assignments sorted into tiles, rows rounded to fp8, y filled with zeros, and the kernel, which adds to it in
/// bf16, part of the inner width by part and expert by expert, in the order in which its blocks come to it. The host sees nothing of the assignments, so that
/// a recorded step stays right; the grid has room for any, and blocks that find no tile end at once.
/// </summary>
internal sealed class AiterFusedExpertsOp : IFusedExperts
{
    private const int Block = HipKernels.QuantizedColumns;

    private readonly HipKernels _kernels;
    private readonly AiterFusedExperts _kernel;
    private readonly AiterExpertTiles _tiles;
    private readonly AiterFusedExpertsShape _shape;
    private readonly AiterExpertsTuner? _tuner;
    private readonly HipWeightLayout _gateUp, _down;

    // Those of a session that runs are never changed.
    private KernelTimes? _times;
    private long _numRuns;

    /// <param name="kernels">This library's ops.</param>
    /// <param name="kernel">AITER's.</param>
    /// <param name="tiles">Makes the tiles.</param>
    /// <param name="gateUp">How gate and up are packed.</param>
    /// <param name="down">How down is packed.</param>
    /// <param name="choices">Experts of a token.</param>
    /// <param name="tuner">Measures when to take the kernel; null: always, where it fits.</param>
    public AiterFusedExpertsOp(
        HipKernels kernels, AiterFusedExperts kernel, AiterExpertTiles tiles, in HipWeightLayout gateUp, in HipWeightLayout down, int choices, AiterExpertsTuner? tuner)
    {
        (_kernels, _kernel, _tiles, _gateUp, _down, _tuner) = (kernels, kernel, tiles, gateUp, down, tuner);
        _shape = new AiterFusedExpertsShape(gateUp.Count, choices, gateUp.InputFeatures, down.InputFeatures);
    }

    /// <summary>Steps of a layer so far; one that is recorded counts once.</summary>
    public long NumRuns => Volatile.Read(ref _numRuns);

    /// <summary>Of the layers.</summary>
    public AiterFusedExpertsShape Shape => _shape;

    /// <summary>How gate and up are packed.</summary>
    public HipWeightLayout GateUp => _gateUp;

    /// <summary>How down is packed.</summary>
    public HipWeightLayout Down => _down;

    /// <summary>What tells the kernels from others.</summary>
    public string Fingerprint => _kernel.Fingerprint;

    public KernelProvider Provider
    {
        get
        {
            if (Volatile.Read(ref _times) is not { } times) return new KernelProvider("aiter", []);
            KernelTime[] slower = [.. times.All.Where(time => time.Aiter > time.Own)];
            if (slower.Length == 0) return new KernelProvider("aiter", []);
            string reason = string.Create(
                CultureInfo.InvariantCulture,
                $"This library's kernels were faster in {slower.Length} of {times.All.Length} measured steps: {string.Join(", ", slower.Select(time => time.Rows))} (tokens).");
            return new KernelProvider(slower.Length == times.All.Length ? "hip" : "aiter", [reason]);
        }
    }

    public bool Takes(int tokens) => Fits(tokens) && (Volatile.Read(ref _times) is not { } times || times.Best(tokens, length: 1) == KernelChoice.Aiter);

    public int MostTokensLeft(int maxTokens) => _tuner is null && Fits(maxTokens) ? 0 : maxTokens;

    public long ScratchBytes(int tokens)
    {
        if (!Fits(tokens)) return 0;
        Lay(tokens, memory: default, out long bytes);
        return bytes;
    }

    public void Run(DeviceContext context, TensorView x, PackedWeightGroup gateUp, PackedWeightGroup down, TensorView experts, TensorView weights, TensorView y)
    {
        HipPackedWeightGroup first = Expect(gateUp, _gateUp), second = Expect(down, _down);
        HipOperand input = HipOperand.Of(x), output = HipOperand.Of(y).Expect(DType.BF16);
        input.Expect(output.Rows, _shape.Width);
        output.Expect(input.Rows, _shape.Width);
        if (!HipKernels.CanQuantize(input) || !y.IsContiguous)
            throw new ArgumentException($"Expected aligned bf16 rows and contiguous bf16 results, found {x} and {y}.", nameof(x));
        int tokens = checked((int)input.Rows);
        if (tokens == 0) return;
        if (!Fits(tokens)) throw new ArgumentException($"{tokens} tokens are more than AITER's kernel takes.", nameof(x));
        HipContext lane = HipContext.Of(context);
        long mark = context.Mark();
        Operands operands = Lay(tokens, context.Scratch(DType.U8, ScratchBytes(tokens)), out _);
        _kernels.SortByExpert(context, experts, operands.Offsets, operands.Order, operands.Places);
        _tiles.Enqueue(lane, operands.Offsets, operands.Order, weights, operands.Tiles);
        _kernels.QuantizeRows(lane, input, operands.Elements.Address, operands.Scales.Address);

        // After the last reader of x, which may be y.
        lane.Stream.Fill((MemoryHandle)y.Buffer.Handle, y.ByteOffset, y.Count * DType.BF16.ByteSize(), 0);
        _kernel.Launch(lane.Stream, new AiterFusedExpertsArguments
        {
            Output = output.Address,
            Input = operands.Elements.Address,
            InputScales = operands.Scales.Address,
            GateUp = first.Address,
            GateUpScales = first.Address + (nint)_gateUp.ScalesOffset,
            Down = second.Address,
            DownScales = second.Address + (nint)_down.ScalesOffset,
            SortedRows = operands.Tiles.Rows.Address,
            SortedWeights = operands.Tiles.Weights.Address,
            TileExperts = operands.Tiles.Experts.Address,
            RowCount = operands.Tiles.RowCount.Address,
            Tokens = tokens,
            Tiles = MaxTiles(tokens),
        });
        context.Release(mark);
        Interlocked.Increment(ref _numRuns);
    }

    public void Tune(int maxTokens, CancellationToken cancellationToken)
    {
        if (_tuner is null || !Fits(maxTokens) || Volatile.Read(ref _times) is not null) return;
        try
        {
            Interlocked.CompareExchange(ref _times, _tuner.Times(this, maxTokens, cancellationToken), null);
        }
        catch (DeviceMemoryException)
        {
            // No room to measure in: wherever it fits.
        }
    }

    private static HipPackedWeightGroup Expect(PackedWeightGroup weights, in HipWeightLayout layout)
    {
        HipPackedWeightGroup group = HipPackedWeightGroup.Of(weights);
        return group.Layout == layout ? group : throw new ArgumentException($"The experts were packed as {group.Layout}, not as {layout}.", nameof(weights));
    }

    private bool Fits(int tokens) =>
        tokens > 0 && tokens * (long)Math.Max(_shape.Width, _shape.Choices) <= int.MaxValue && _kernel.Takes(tokens, MaxTiles(tokens));

    private int MaxTiles(int tokens) => AiterExpertTiles.MaxTiles(tokens * _shape.Choices, _shape.Experts, _kernel.TileRows);

    /// <summary>Lays the operands of a step into memory, or counts it where there is none.</summary>
    private Operands Lay(int tokens, TensorView memory, out long bytes)
    {
        long assignments = (long)tokens * _shape.Choices;
        int max = MaxTiles(tokens), rows = _kernel.TileRows;
        var space = new ScratchSpace(memory);
        var operands = new Operands
        {
            // A row more, and two groups of scales and one scale: the kernel reads ahead, and something for rows that only fill up a tile.
            Elements = space.Take(DType.U8, tokens + 1L, _shape.Width),
            Scales = space.Take(DType.F32, (((_shape.Width / Block) + 2L) * tokens) + 1),
            Offsets = space.Take(DType.I32, _shape.Experts + 1L),
            Order = space.Take(DType.I32, assignments),
            Places = space.Take(DType.I32, assignments),
            Tiles = new AiterExpertTiles.Tables
            {
                Rows = space.Take(DType.I32, (long)max * rows),
                Weights = space.Take(DType.F32, (long)max * rows),
                Experts = space.Take(DType.I32, max),
                RowCount = space.Take(DType.I32, 1),
                TileRows = rows,
            },
        };
        bytes = space.Bytes;
        return operands;
    }

    private readonly record struct Operands
    {
        public required TensorView Elements { get; init; }

        public required TensorView Scales { get; init; }

        public required TensorView Offsets { get; init; }

        public required TensorView Order { get; init; }

        public required TensorView Places { get; init; }

        public required AiterExpertTiles.Tables Tiles { get; init; }
    }
}
