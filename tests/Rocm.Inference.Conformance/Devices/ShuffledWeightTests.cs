using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>
/// Weights of 8-bit floats that are packed as AITER's kernels read them, read by this library's kernels: the same bits as with rows in their own order, which
/// <see cref="ScaledWeightConformance"/> compares with the oracle.
/// </summary>
public sealed class ShuffledWeightTests
{
    private const int Block = 128;

    public static TheoryData<string, DType> Types => new()
    {
        { EmulatedGpu.Gfx942, DType.F8E4M3Fn }, { EmulatedGpu.Gfx942, DType.F8E4M3Fnuz }, { EmulatedGpu.Gfx1100, DType.F8E4M3Fn }, { EmulatedGpu.Gfx1100, DType.F8E4M3Fnuz },
    };

    [Theory]
    [MemberData(nameof(Types))]
    public void Products_have_the_bits_of_those_with_rows_in_order_and_equal_the_oracle(string target, DType dtype)
    {
        using HipGpu plain = Open(target, shuffles: false), shuffling = Open(target, shuffles: true);
        using PoisonedTensors expected = new(plain), found = new(shuffling);
        var random = new TestRandom(130);
        foreach ((int rows, int first, int second, int k, bool hasBias) in new[] { (1, Block, 0, Block, true), (17, Block, 2 * Block, 5 * Block, false), (130, 2 * Block, Block, 3 * Block, true) })
        {
            // The second matrix has all codes, -0 too, and NaN in every fifth row.
            using var a = new ScaledWeightFixture(random, dtype, DType.F32, first, k);
            using var b = second == 0 ? null : new ScaledWeightFixture(random, dtype, DType.BF16, second, k, i => Code(dtype, i * 37 % 256, hasNaN: i / k % 5 == 0));
            WeightMatrix[] parts = b is null ? [a.Matrix] : [a.Matrix, b.Matrix];
            int n = first + second;
            float[]? bias = hasBias ? random.Floats(n) : null;
            float[] x = expected.Draw(random, rows * k);
            float[] inOrder = Multiply(expected, parts, bias, x, rows, n, isShuffled: false), shuffled = Multiply(found, parts, bias, x, rows, n, isShuffled: true);
            Assert.Equal(inOrder.Select(BitsOf), shuffled.Select(BitsOf));
            double[] products = OracleOps.Linear(x, [.. a.Values, .. b?.Values ?? []], bias, rows, k, n);
            int[] finite = [.. Enumerable.Range(0, products.Length).Where(i => double.IsFinite(products[i]))];
            Assert.True(finite.Length > products.Length / 2 && (b is null || finite.Length < products.Length));
            Tolerance.F32.Check([.. finite.Select(i => products[i])], [.. finite.Select(i => shuffled[i])], $"seed 130, {rows} x {k} x {n} {dtype}");
            Assert.All(Enumerable.Range(0, products.Length).Except(finite), i => Assert.True(float.IsNaN(shuffled[i]), $"{i}: {shuffled[i]}"));
        }
    }

    [Theory]
    [InlineData(EmulatedGpu.Gfx942)]
    [InlineData(EmulatedGpu.Gfx1100)]
    public void Products_of_experts_and_of_heads_have_the_bits_of_those_with_rows_in_order(string target)
    {
        using HipGpu plain = Open(target, shuffles: false), shuffling = Open(target, shuffles: true);
        using PoisonedTensors expected = new(plain), found = new(shuffling);
        var random = new TestRandom(131);
        const int K = 2 * Block, N = 3 * Block, Heads = 2;
        int[] offsets = [0, 3, 3, 70, 72];
        ScaledWeightFixture[] experts = [.. Enumerable.Range(0, offsets.Length - 1).Select(_ => new ScaledWeightFixture(random, DType.F8E4M3Fn, DType.F32, N, K))];
        WeightSource[] sources = [.. experts.Select((w, i) => new WeightSource(new[] { w.Matrix }, i == 1 ? null : random.Floats(N)))];
        float[] x = expected.Draw(random, offsets[^1] * K);
        Assert.Equal(Group(expected, isShuffled: false), Group(found, isShuffled: true));

        // As in latent attention: a head's weights are rows of one matrix, read along its columns.
        using var stored = new ScaledWeightFixture(random, DType.F8E4M3Fn, DType.F32, Heads * 2 * Block, N);
        WeightScales scales = stored.Matrix.Scales!;
        WeightSource[] heads = [.. Enumerable.Range(0, Heads).Select(h => new WeightSource(new[]
        {
            stored.Matrix with
            {
                Rows = N, Columns = K, RowStrideBytes = 1, ColumnStrideBytes = N, Address = stored.Matrix.Address + (h * K * N),
                Scales = scales with { RowStrideBytes = sizeof(float), ColumnStrideBytes = scales.RowStrideBytes, FirstColumn = h * K },
            },
        }))];
        Assert.Equal(PerHead(expected, isShuffled: false), PerHead(found, isShuffled: true));
        foreach (ScaledWeightFixture expert in experts) expert.Dispose();

        float[] Group(PoisonedTensors tensors, bool isShuffled)
        {
            using PackedWeightGroup packed = tensors.Device.PackGroup(sources);
            Assert.Equal(isShuffled, HipPackedWeightGroup.Of(packed).Layout.IsShuffled);
            TensorView y = tensors.Poison(DType.F32, offsets[^1], N);
            tensors.Device.Kernels.GroupedLinear(
                tensors.Context, tensors.Activations(x, offsets[^1], K), packed, tensors.I32(offsets, offsets.Length), default, 1, y);
            tensors.Verify();
            return tensors.Read(y);
        }

        float[] PerHead(PoisonedTensors tensors, bool isShuffled)
        {
            const int Tokens = 5;
            using PackedWeightGroup packed = tensors.Device.PackGroup(heads);
            Assert.Equal(isShuffled, HipPackedWeightGroup.Of(packed).Layout.IsShuffled);
            TensorView y = tensors.Poison(DType.F32, Tokens, Heads, N);
            tensors.Device.Kernels.LinearPerHead(tensors.Context, tensors.Activations(x[..(Tokens * Heads * K)], Tokens, Heads, K), packed, y);
            tensors.Verify();
            return tensors.Read(y);
        }
    }

    [Fact]
    public void Only_whole_blocks_of_E4M3_with_one_scale_are_shuffled_and_memory_behind_them_can_be_read()
    {
        using HipGpu gpu = Open(EmulatedGpu.Gfx942, shuffles: true);
        var random = new TestRandom(132);
        Assert.False(IsShuffled(DType.F8E5M2, Block, Block, static m => m));
        Assert.False(IsShuffled(DType.F8E4M3Fn, Block + 64, Block, static m => m));
        Assert.False(IsShuffled(DType.F8E4M3Fn, Block, Block + 64, static m => m));
        Assert.True(IsShuffled(DType.F8E4M3Fn, Block, Block, static m => m with { Scales = null }));
        Assert.True(IsShuffled(DType.F8E4M3Fn, 2 * Block, Block, static m => m with { Rows = Block, Scales = m.Scales! with { BlockRows = 512, FirstRow = 64 } }));
        Assert.False(IsShuffled(DType.F8E4M3Fn, 2 * Block, Block, static m => m with { Rows = Block, Scales = m.Scales! with { FirstRow = 64 } }));
        Assert.False(IsShuffled(DType.F8E4M3Fn, 2 * Block, Block, static m => m with { Rows = Block, Scales = m.Scales! with { BlockRows = 64 } }));

        using var weight = new ScaledWeightFixture(random, DType.F8E4M3Fn, DType.F32, Block, Block);
        var source = new WeightSource(new[] { weight.Matrix });
        using PackedWeight packed = ((IDevice)gpu).Pack(source);
        HipWeightLayout layout = HipPackedWeight.Of(packed).Layout;
        Assert.Equal((Block * Block) + 65536, layout.SizeBytes);
        Assert.Equal((1, sizeof(float), Block * Block), (layout.ScaleRows, (int)layout.ScaleRowBytes, (int)layout.ScalesOffset));

        bool IsShuffled(DType dtype, int n, int k, Func<WeightMatrix, WeightMatrix> change)
        {
            using var weight = new ScaledWeightFixture(random, dtype, DType.F32, n, k);
            var source = new WeightSource(new[] { change(weight.Matrix) });
            using PackedWeight packed = ((IDevice)gpu).Pack(source);
            return HipPackedWeight.Of(packed).Layout.IsShuffled;
        }
    }

    private static HipGpu Open(string target, bool shuffles)
    {
        string? missing = EmulatedGpu.MissingOf(target);
        Assert.SkipWhen(missing is not null, missing ?? "");
        return new HipGpu(EmulatedGpu.Instance.Device(target), EmulatedGpu.Instance.Compiler) { ShufflesWeights = shuffles };
    }

    // Not-a-number is what it is in whatever bits.
    private static int BitsOf(float value) => float.IsNaN(value) ? int.MaxValue : BitConverter.SingleToInt32Bits(value);

    private static byte Code(DType dtype, int code, bool hasNaN) => (byte)(hasNaN || double.IsFinite(OracleNumbers.Decode(dtype, (uint)code)) ? code : 0);

    private static float[] Multiply(PoisonedTensors tensors, WeightMatrix[] parts, float[]? bias, float[] x, int rows, int n, bool isShuffled)
    {
        using PackedWeight packed = tensors.Device.Pack(new WeightSource(parts, bias));
        Assert.Equal(isShuffled, HipPackedWeight.Of(packed).Layout.IsShuffled);
        TensorView y = tensors.Poison(DType.F32, rows, n);
        tensors.Device.Kernels.Linear(tensors.Context, tensors.Activations(x, rows, x.Length / rows), packed, y);
        tensors.Verify();
        return tensors.Read(y);
    }
}
