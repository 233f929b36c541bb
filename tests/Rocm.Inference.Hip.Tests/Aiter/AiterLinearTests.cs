using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>Products of the device by AITER's kernels: right, and taken when and only when they are to be.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterLinearTests(ITestOutputHelper log) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rocm-inference-times-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1, 128, 128, false, false)]
    [InlineData(70, 256, 384, true, false)]
    [InlineData(129, 128, 256, false, true)]
    [InlineData(33, 384, 512, true, true)]
    public void A_product_is_that_of_rows_rounded_to_8_bits(int rows, int outputs, int inputs, bool hasBias, bool accumulate)
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        using HipGpu gpu = Create(aiter, AiterKernelChoice.Always);
        using var tensors = new PoisonedTensors(gpu);
        var random = new TestRandom(150);
        var weight = new Fp8Weight(random, outputs, inputs, hasBias);
        using PackedWeight packed = ((IDevice)gpu).Pack(weight.Source);
        float[] x = tensors.Draw(random, rows * inputs), before = tensors.Draw(random, rows * outputs);
        double[] expected = weight.Multiply(Fp8Weight.RoundRows(x)), exact = weight.Multiply(x);
        if (accumulate) expected = [.. expected.Zip(before, (product, value) => product + value)];
        if (accumulate) exact = [.. exact.Zip(before, (product, value) => product + value)];
        TensorView y = accumulate ? tensors.Activations(before, rows, outputs) : tensors.PoisonActivations(rows, outputs);
        long mark = tensors.Context.Mark();
        gpu.Kernels.Linear(tensors.Context, tensors.Activations(x, rows, inputs), packed, y, accumulate);
        Assert.Equal(1, ProductsOf(gpu));
        Assert.Equal(mark, tensors.Context.Mark());
        Assert.InRange(tensors.Context.PeakArenaBytes, 1, AiterLinear.ScratchBytes(rows, outputs, inputs));
        float[] found = tensors.Read(y);
        double error = RelativeError.Of(expected, found), ofRounding = RelativeError.Of(exact, found);
        log.WriteLine($"seed {random.Seed}: error {error:0.00000}, with that of rounding rows {ofRounding:0.00000}");

        // The kernel cuts results off to bf16, by 2⁻⁷ of each at most; 8 bits cost 2⁻⁴ of each element at most.
        Assert.InRange(error, 0, 0.0045);
        Assert.InRange(ofRounding, 0, 0.04);
        tensors.Verify();
    }

    [Fact]
    public void A_row_that_is_not_finite_stays_alone_with_it()
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        using HipGpu gpu = Create(aiter, AiterKernelChoice.Always);
        using var tensors = new PoisonedTensors(gpu);
        var random = new TestRandom(151);
        const int Rows = 5, Size = 256;
        var weight = new Fp8Weight(random, Size, Size);
        using PackedWeight packed = ((IDevice)gpu).Pack(weight.Source);
        float[] x = tensors.Draw(random, Rows * Size);
        (x[(1 * Size) + 7], x[(3 * Size) + 200]) = (float.NaN, float.PositiveInfinity);
        x.AsSpan(2 * Size, Size).Clear();
        TensorView y = tensors.PoisonActivations(Rows, Size);
        gpu.Kernels.Linear(tensors.Context, tensors.Activations(x, Rows, Size), packed, y);
        float[] found = tensors.Read(y);
        for (int i = 0; i < found.Length; i++)
        {
            if (i / Size is 1 or 3) Assert.True(float.IsNaN(found[i]));
            else Assert.True(i / Size == 2 ? found[i] == 0 : float.IsFinite(found[i]) && found[i] != 0, $"{i}: {found[i]}");
        }

        Assert.Equal(1, ProductsOf(gpu));
    }

    [Fact]
    public void Products_that_it_is_not_to_compute_or_cannot_are_this_librarys_to_the_bit()
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        using HipGpu gpu = Create(aiter, AiterKernelChoice.ByShape), own = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using PoisonedTensors tensors = new(gpu), others = new(own), narrow = new(gpu, arenaBytes: AiterLinear.ScratchBytes(70, 128, 128) - 1), wide = new(gpu, arenaBytes: AiterLinear.ScratchBytes(70, 128, 128));
        var weight = new Fp8Weight(new TestRandom(152), 128, 128);
        using PackedWeight packed = ((IDevice)gpu).Pack(weight.Source), plain = ((IDevice)own).Pack(weight.Source);
        Check(tensors, rows: AiterProduct.OwnRows, isAiter: false);
        Check(tensors, rows: AiterProduct.OwnRows + 1, isAiter: true);
        Check(tensors, rows: 70, isAiter: false, output: DType.F32);
        Check(tensors, rows: 70, isAiter: false, outputGap: 8);
        Check(tensors, rows: 70, isAiter: true, outputGap: 8, accumulate: true);
        Check(tensors, rows: 70, isAiter: true, inputGap: 8);
        Check(tensors, rows: 70, isAiter: false, inputGap: 4);
        Check(narrow, rows: 70, isAiter: false);
        Check(wide, rows: 70, isAiter: true, accumulate: true);

        void Check(PoisonedTensors on, int rows, bool isAiter, DType output = DType.BF16, int inputGap = 0, int outputGap = 0, bool accumulate = false)
        {
            long before = ProductsOf(gpu);
            float[] found = Multiply(on, packed), expected = Multiply(others, plain);
            Assert.Equal(isAiter ? 1 : 0, ProductsOf(gpu) - before);
            if (!isAiter) Assert.Equal(expected, found);
            else Assert.InRange(RelativeError.Of(expected.Select(value => (double)value), found), 1e-3, 0.05);

            float[] Multiply(PoisonedTensors tensors, PackedWeight weight)
            {
                var random = new TestRandom(153);
                TensorView x = tensors.Activations(tensors.Draw(random, rows * (128 + inputGap)), rows, 128 + inputGap).Slice(1, 0, 128);
                TensorView y = tensors.Of(output, tensors.Draw(random, rows * (128 + outputGap)), rows, 128 + outputGap);
                tensors.Device.Kernels.Linear(tensors.Context, x, weight, y.Slice(1, 0, 128), accumulate);
                tensors.Verify();
                return tensors.Read(y);
            }
        }
    }

    [Fact]
    public void By_times_the_faster_kernel_of_each_number_of_rows_runs_and_later_devices_find_the_times()
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        var weight = new Fp8Weight(new TestRandom(154), 128, 256);
        WeightSource[] weights = [weight.Source];

        // 1 row: 10 by AITER's, 7 by this library's; 2: 20 and 25; 4 and 6: 1 and 2.
        double[] readings = [12, 10, 11, 8, 7, 9, 20, 21, 22, 27, 25, 26, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2];
        int read = 0;
        using (HipGpu gpu = Create(aiter, AiterKernelChoice.Measured))
        {
            var linear = new AiterLinear(aiter.Library, "", allowFp8Activations: true)
            {
                Choice = AiterKernelChoice.Measured, TimesCache = new CodeObjectCache(_folder, extension: ".times"), Clock = (_, _) => readings[read++],
            };
            linear.Tune(gpu, weights, maxRows: 6, CancellationToken.None);
            Assert.Equal(readings.Length, read);
            KernelProvider provider = linear.ProviderOf(weights);
            Assert.Equal("aiter", provider.Name);
            Assert.Equal(["With weights of 128 x 256 this library's kernel was faster in 1 of 4 measured products: of 1 rows."], provider.Reasons);
        }

        using HipGpu later = Create(aiter, AiterKernelChoice.Measured);
        ((IDevice)later).TuneLinear(weights, maxRows: 6, CancellationToken.None);
        using var tensors = new PoisonedTensors(later);
        using PackedWeight packed = ((IDevice)later).Pack(weight.Source);
        foreach (int rows in (int[])[1, 2, 6, 7])
        {
            long before = ProductsOf(later);
            later.Kernels.Linear(tensors.Context, tensors.Activations(new float[rows * 256], rows, 256), packed, tensors.PoisonActivations(rows, 128));
            Assert.Equal(rows == 1 ? 0 : 1, ProductsOf(later) - before);
            Assert.Equal(rows > 1, ((IDevice)later).RoundsInputs(packed, rows));
        }
    }

    [Fact]
    public void The_self_test_holds_its_products_to_what_8_bits_cost()
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        using HipGpu gpu = Create(aiter, AiterKernelChoice.Always);
        foreach (bool accumulate in (bool[])[false, true])
        {
            SelfTestResult result = Assert.Single(new SelfTest.SelfTestRunner(new SelfTestOptions { NumTimedRuns = 0 }, progress: null).Run(
                gpu, [SelfTest.Checks.LinearChecks.Linear(DType.F8E4M3Fn, 40, 256, 128, hasBias: true, accumulate, toLogits: false)], CancellationToken.None).Results);
            Assert.True(result.Outcome == SelfTestOutcome.Passed, result.ToString());

            // By more than is allowed without: 0.008 of the magnitude, which is 0.04 of what is here.
            Assert.InRange(result.Error!.Value, 0.04, 1);
        }

        Assert.Equal(2, ProductsOf(gpu));
    }

    internal static long ProductsOf(HipGpu gpu) => ((HipKernels)gpu.Kernels).NumAiterProducts;

    private HipGpu Create(AiterCheckout aiter, AiterKernelChoice choice)
    {
        Assert.SkipWhen(aiter.Library.Kernels.ScaledGemm.IsEmpty, "This AITER has no products of fp8 matrices with scales of blocks.");
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        return new HipGpu(
            aiter.Library.Device, EmulatedGpu.Instance.Compiler, AiterKernelLibrary.Open(aiter.Library.Device, installation, allowUnproven: false, out _),
            allowFp8Activations: true, choice: choice, times: new CodeObjectCache(_folder, extension: ".times"));
    }
}
