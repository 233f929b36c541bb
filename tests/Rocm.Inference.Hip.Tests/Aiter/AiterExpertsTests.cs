using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.Native.Tests.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>The experts of a layer as one op of the device, by AITER's kernel: results, memory, and when there is none.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterExpertsTests(ITestOutputHelper log)
{
    private const int Seed = 97;

    private static readonly MoeRouting _few = new() { NumExperts = 4, TopK = 2 };

    // Widths for the tiles of 128 and 256; tokens below and above a tile of 32 rows; of many experts most get no token.
    [Theory]
    [InlineData(1, 4, 2, 512, 128, DType.F8E4M3Fn)]
    [InlineData(7, 24, 3, 512, 256, DType.F8E4M3Fn)]
    [InlineData(40, 4, 2, 1024, 256, DType.F8E4M3Fnuz)]
    [InlineData(70, 2, 1, 512, 384, DType.F8E4M3Fn)]
    public void Results_err_by_what_activations_are_rounded_to(int tokens, int numExperts, int topK, int width, int inner, DType dtype)
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        Assert.SkipWhen(aiter.Library.Kernels.FusedExperts.IsEmpty, "This AITER has no gated fp8 experts with scales of blocks.");
        using IDevice gpu = Open(aiter);
        var random = new TestRandom(Seed);
        var routing = new MoeRouting { NumExperts = numExperts, TopK = topK };
        using var layer = new ExpertsCase(random, routing, width, inner, dtype);
        IFusedExperts? op = gpu.FuseExperts(routing, layer.GateUp, layer.Down, ActivationKind.Silu, out IReadOnlyList<string> reasons);
        Assert.True(op is not null, string.Join(' ', reasons));
        Assert.True(op.Takes(tokens));
        Assert.Equal(0, op.MostTokensLeft(tokens));

        // The arena has what is promised, full of what is no index and no number.
        using var tensors = new PoisonedTensors(gpu, op.ScratchBytes(tokens));
        tensors.Context.Upload<byte>([.. Enumerable.Repeat((byte)0xff, (int)op.ScratchBytes(tokens))], tensors.Context.Scratch(DType.U8, op.ScratchBytes(tokens)));
        tensors.Context.Release(0);
        float[] x = tensors.Draw(random, tokens * width), weights = [.. random.Floats(tokens * topK).Select(weight => 0.1f + MathF.Abs(weight))];
        int[] experts = [.. Enumerable.Range(0, tokens).SelectMany(_ => Enumerable.Range(0, numExperts).OrderBy(_ => random.Next(0, 1 << 20)).Take(topK))];
        using PackedWeightGroup gateUp = gpu.PackGroup(layer.GateUp), down = gpu.PackGroup(layer.Down);
        double[] expected = layer.Expected(x, experts, weights);
        TensorView chosen = tensors.I32(experts, tokens, topK), factors = tensors.F32(weights, tokens, topK);
        foreach (bool inPlace in new[] { false, true })
        {
            TensorView input = tensors.Activations(x, tokens, width), y = inPlace ? input : tensors.PoisonActivations(tokens, width);
            op.Run(tensors.Context, input, gateUp, down, chosen, factors, y);
            double error = RelativeError.Of(expected, tensors.Read(y));
            log.WriteLine($"{tokens} x {topK} of {numExperts}, {width} x {inner}, seed {Seed}: error {error:0.0000}");

            // Twice what fp8 takes from an element, 2⁻⁴ of it at most and 0.03 of many on average: once of x, once of what lies between the products.
            Assert.InRange(error, 0.005, 0.06);
            tensors.Verify();
        }

        Assert.Equal(op.ScratchBytes(tokens), tensors.Context.PeakArenaBytes);
        Assert.Equal(2, ((HipGpu)gpu).Experts.NumRuns);
    }

    [Fact]
    public void By_times_the_op_takes_the_steps_at_which_it_was_faster_and_later_sessions_find_the_times()
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        Assert.SkipWhen(aiter.Library.Kernels.FusedExperts.IsEmpty, "This AITER has no gated fp8 experts with scales of blocks.");
        string folder = Directory.CreateTempSubdirectory("rocm-inference-times-").FullName;
        try
        {
            using var layer = new ExpertsCase(new TestRandom(Seed), _few, 512, 128);

            // One token: AITER's takes 10, this library's 7; two tokens: 20 and 25; three: 30 and 30. Each is timed three times, and the shortest counts.
            double[] readings = [12, 10, 11, 8, 7, 9, 20, 21, 22, 27, 25, 26, 30, 30, 30, 30, 31, 32];
            int numReadings = 0;
            for (int session = 0; session < 2; session++)
            {
                using HipGpu gpu = Open(aiter);
                var experts = new AiterExperts(gpu, (HipKernels)gpu.Kernels, aiter.Library, "", allowFp8Activations: true)
                {
                    Choice = AiterKernelChoice.Measured, TimesCache = new CodeObjectCache(folder, extension: ".times"), Clock = (_, _) => readings[numReadings++],
                };
                IFusedExperts op = experts.Fuse(_few, layer.GateUp, layer.Down, ActivationKind.Silu, out _)!;
                Assert.Same(op, experts.Fuse(_few, layer.GateUp, layer.Down, ActivationKind.Silu, out _));
                Assert.Equal((3, true), (op.MostTokensLeft(3), op.Takes(1)));
                op.Tune(3, TestContext.Current.CancellationToken);
                op.Tune(3, TestContext.Current.CancellationToken);
                Assert.Equal(readings.Length, numReadings);
                Assert.Equal((false, true, true), (op.Takes(1), op.Takes(2), op.Takes(3)));
                Assert.Equal("aiter", op.Provider.Name);
                Assert.Equal(["This library's kernels were faster in 1 of 3 measured steps: 1 (tokens)."], op.Provider.Reasons);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Without_an_installation_or_the_option_there_is_no_op_and_it_says_why()
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using var layer = new ExpertsCase(new TestRandom(Seed), _few, 128, 128);
        using IDevice without = new HipGpu(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), EmulatedGpu.Instance.Compiler, null, "AITER was not found. Looked into /nowhere.", allowFp8Activations: true);
        Assert.Null(without.FuseExperts(_few, layer.GateUp, layer.Down, ActivationKind.Silu, out IReadOnlyList<string> reasons));
        Assert.Equal(["AITER was not found. Looked into /nowhere."], reasons);

        using var simulated = Simulated();
        using IDevice exact = new HipGpu(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), EmulatedGpu.Instance.Compiler, OpenLibrary(simulated.Find()));
        Assert.Null(exact.FuseExperts(_few, layer.GateUp, layer.Down, ActivationKind.Silu, out reasons));
        Assert.Equal(["AITER's experts round activations to fp8 (option AllowFp8Activations)."], reasons);
    }

    [Fact]
    public void Experts_that_the_kernels_do_not_compute_are_left_to_this_librarys_and_it_says_why()
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using var simulated = Simulated();
        using IDevice gpu = new HipGpu(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), EmulatedGpu.Instance.Compiler, OpenLibrary(simulated.Find()), allowFp8Activations: true);
        using var layer = new ExpertsCase(new TestRandom(Seed), _few, 512, 128);
        Expect("SiLU between their products, not GeluTanh", layer.GateUp, layer.Down, ActivationKind.GeluTanh);
        Expect("no biases", layer.GateUp, [.. layer.Down.Select(source => source with { Bias = new float[512] })]);
        using var odd = new ExpertsCase(new TestRandom(Seed), _few, 512, 64);
        Expect("of whole blocks", odd.GateUp, odd.Down);
        using var narrow = new ExpertsCase(new TestRandom(Seed), _few, 256, 128);
        Expect("a multiple of 512 inputs", narrow.GateUp, narrow.Down);

        // No element is read: matrices of any size and type.
        WeightMatrix matrix = layer.Down[0].Parts.Span[0];
        WeightMatrix plain = matrix with { DType = DType.BF16, Scales = null };
        Expect("fp8 with one scale", Of(plain, 256, 256), Of(plain, 256, 128));
        Expect("at most 4294967296 bytes", Of(matrix, 131072, 8704), Of(matrix, 8704, 65536));

        // The manifest lists a kernel whose file is not there.
        Expect("fmoe/silu/novs_128.co", layer.GateUp, layer.Down);

        void Expect(string reason, WeightSource[] gateUp, WeightSource[] down, ActivationKind activation = ActivationKind.Silu)
        {
            Assert.Null(gpu.FuseExperts(_few, gateUp, down, activation, out IReadOnlyList<string> reasons));
            Assert.Contains(reason, string.Join(' ', reasons), StringComparison.Ordinal);
        }

        WeightSource[] Of(WeightMatrix like, int rows, int columns) => [.. Enumerable.Repeat(new WeightSource(new[] { like with { Rows = rows, Columns = columns, RowStrideBytes = columns * like.DType.ByteSize() } }), _few.NumExperts)];
    }

    private static SimulatedAiter Simulated()
    {
        var simulated = new SimulatedAiter();
        simulated.Write(
            "fmoe/silu", "fmoe_bf16_blockscaleFp8_g1u1_silu.csv",
            "knl_name,co_name,atm,vskip,smf,tg_num_perCU,ps,subGU_m,subGU_n,flat\n_novs_128,novs_128.co,0,0,0,1,0,32,128,0\n");
        return simulated;
    }

    private static HipGpu Open(AiterCheckout aiter) => new(
        aiter.Library.Device, EmulatedGpu.Instance.Compiler, OpenLibrary(AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!), allowFp8Activations: true);

    private static AiterKernelLibrary OpenLibrary(AiterInstallation installation)
    {
        AiterKernelLibrary? library = AiterKernelLibrary.Open(EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942), installation, allowUnproven: false, out string reason);
        Assert.True(library is not null, reason);
        return library;
    }
}
