using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Rounding of activations to 8 bits with a scale for 128 columns.</summary>
public sealed class QuantizeRowsTests
{
    private const int Group = HipKernels.QuantizedColumns;
    private const float Largest = 240;
    private const float SmallestNormal = 1.17549435e-38f;

    [Theory]
    [InlineData(EmulatedGpu.Gfx942)]
    [InlineData(EmulatedGpu.Gfx1100)]
    public void Every_element_is_the_nearest_of_its_type_under_the_scale_of_its_group(string target)
    {
        using var gpu = (HipGpu)HipDevices.Create(target);
        var random = new TestRandom(140);
        foreach ((int rows, int groups, int gap) in new[] { (1, 1, 0), (3, 2, 8), (19, 9, 64) })
        {
            using var tensors = new PoisonedTensors(gpu);
            int k = groups * Group;
            float[] wide = tensors.Draw(random, rows * (k + gap));

            // Groups of every magnitude; zeros, the smallest numbers, and what is not finite.
            for (int i = 0; i < wide.Length; i++)
            {
                int row = i / (k + gap), group = i % (k + gap) / Group;
                wide[i] *= MathF.ScaleB(1, ((row * 7) + (group * 11)) % 60 - 30);
                if (row == 1) wide[i] = group == 0 ? 0 : wide[i] * 1e-37f;
                if (row == 2 && i % Group == 5) wide[i] = group % 3 == 0 ? float.NaN : group % 3 == 1 ? float.PositiveInfinity : float.NegativeInfinity;
            }

            wide = tensors.Round(wide);
            TensorView x = tensors.Activations(wide, rows, k + gap).Slice(1, 0, k), elements = tensors.Poison(DType.F8E4M3Fnuz, rows, k), scales = tensors.Poison(DType.F32, groups, rows);
            HipOperand operand = HipOperand.Of(x);
            Assert.True(HipKernels.CanQuantize(operand));
            ((HipKernels)gpu.Kernels).QuantizeRows(HipContext.Of(tensors.Context), operand, elements.Address, scales.Address);
            uint[] found = tensors.ReadBits(elements);
            float[] foundScales = tensors.Read(scales);
            for (int row = 0; row < rows; row++)
            {
                for (int group = 0; group < groups; group++)
                {
                    float[] values = wide.AsSpan((row * (k + gap)) + (group * Group), Group).ToArray();
                    float scale = MathF.Max(values.Where(float.IsFinite).Max(MathF.Abs) / Largest, SmallestNormal), inverse = 1 / scale;
                    Assert.Equal(scale, foundScales[(group * rows) + row]);
                    for (int i = 0; i < Group; i++)
                    {
                        uint bits = OracleNumbers.Encode(DType.F8E4M3Fnuz, float.IsFinite(values[i]) ? values[i] * inverse : float.NaN);
                        Assert.True(bits == found[(row * k) + (group * Group) + i], $"{target}, row {row}, group {group}, column {i}: {values[i]} / {scale} is {bits:x2}, found {found[(row * k) + (group * Group) + i]:x2}");
                    }
                }
            }

            tensors.Verify();
        }
    }

    [Fact]
    public void Rows_that_are_not_of_whole_groups_or_not_aligned_are_not_taken()
    {
        using var gpu = (HipGpu)HipDevices.Create(EmulatedGpu.Gfx942);
        using var tensors = new PoisonedTensors(gpu);
        TensorView wide = tensors.PoisonActivations(2, 264);
        Assert.True(HipKernels.CanQuantize(HipOperand.Of(wide.Slice(1, 8, 256))));
        Assert.False(HipKernels.CanQuantize(HipOperand.Of(wide.Slice(1, 4, 256))));
        Assert.False(HipKernels.CanQuantize(HipOperand.Of(wide)));
        Assert.False(HipKernels.CanQuantize(HipOperand.Of(tensors.PoisonActivations(2, 260).Slice(1, 0, 256))));
        Assert.False(HipKernels.CanQuantize(HipOperand.Of(tensors.Poison(DType.F32, 2, 256))));
    }
}
