using System.Runtime.InteropServices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>Gated experts of fp8 in blocks of 128 x 128, as a checkpoint holds them, and what they make of rows in double precision.</summary>
internal sealed class ExpertsCase : IDisposable
{
    private const int Block = 128;

    private readonly List<GuardedMemory> _memory = [];
    private readonly float[][] _gateUp, _down;

    /// <param name="random">Seeded.</param>
    /// <param name="routing">How many experts, and how many of a token.</param>
    /// <param name="width">Inputs and outputs.</param>
    /// <param name="inner">Width between the products.</param>
    /// <param name="dtype">An 8-bit float.</param>
    public ExpertsCase(TestRandom random, MoeRouting routing, int width, int inner, DType dtype = DType.F8E4M3Fn)
    {
        (Routing, Width, Inner) = (routing, width, inner);
        (_gateUp, _down) = (new float[routing.NumExperts][], new float[routing.NumExperts][]);
        (GateUp, Down) = (new WeightSource[routing.NumExperts], new WeightSource[routing.NumExperts]);
        for (int e = 0; e < routing.NumExperts; e++)
        {
            (WeightMatrix gate, float[] gateValues) = Draw(random, inner, width, dtype);
            (WeightMatrix up, float[] upValues) = Draw(random, inner, width, dtype);
            (WeightMatrix down, _down[e]) = Draw(random, width, inner, dtype);
            _gateUp[e] = [.. gateValues, .. upValues];
            (GateUp[e], Down[e]) = (new WeightSource(new[] { gate, up }), new WeightSource(new[] { down }));
        }
    }

    public MoeRouting Routing { get; }

    public int Width { get; }

    public int Inner { get; }

    public WeightSource[] GateUp { get; }

    public WeightSource[] Down { get; }

    /// <summary>Σ_k weights[t, k] · down(silu(gate(x)) · up(x)) of the experts of each token.</summary>
    public double[] Expected(float[] x, int[] experts, float[] weights)
    {
        int topK = Routing.TopK;
        double[] y = new double[x.Length];
        for (int assignment = 0; assignment < experts.Length; assignment++)
        {
            int row = assignment / topK * Width, expert = experts[assignment];
            double[] both = new double[2 * Inner];
            for (int n = 0; n < both.Length; n++)
            {
                for (int k = 0; k < Width; k++) both[n] += (double)x[row + k] * _gateUp[expert][(n * Width) + k];
            }

            for (int n = 0; n < Width; n++)
            {
                double sum = 0;
                for (int k = 0; k < Inner; k++) sum += OracleOps.Silu(both[k]) * both[Inner + k] * _down[expert][(n * Inner) + k];
                y[row + n] += weights[assignment] * sum;
            }
        }

        return y;
    }

    public void Dispose()
    {
        foreach (GuardedMemory memory in _memory) memory.Dispose();
    }

    private (WeightMatrix Matrix, float[] Values) Draw(TestRandom random, int rows, int columns, DType dtype)
    {
        (RawTensor weight, RawTensor scales, float[] values) = WeightQuantizer.BlockFp8("w", rows, columns, random.Floats((long)rows * columns, 1 / Math.Sqrt(columns)), dtype);
        return (new WeightMatrix("w", dtype, rows, columns, Copy(weight.Data), columns, this)
        {
            Scales = new WeightScales(DType.F32, Copy(scales.Data), columns / Block * (long)sizeof(float), Block, Block, this),
        }, values);
    }

    private nint Copy(byte[] bytes)
    {
        var memory = new GuardedMemory(bytes.Length);
        _memory.Add(memory);
        Marshal.Copy(bytes, 0, memory.Address, bytes.Length);
        return memory.Address;
    }
}
