using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>AITER's kernels or this library's by shape, always, or by times: which, and that times are measured once and found again.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterChoiceTests : IDisposable
{
    private static readonly AttentionSpec _paged = new()
    {
        NumQoHeads = 16, NumKvHeads = 2, HeadDim = 128, VHeadDim = 128, SoftmaxScale = 0.07f, DType = DType.BF16, KvDType = DType.BF16, MaxSeqLen = 64,
    };

    private static readonly BatchLimits _limits = new(8, 2, 64);

    private readonly string _folder = Directory.CreateTempSubdirectory("rocm-inference-times-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void By_shape_paged_decode_is_AITERs_only_where_rows_fill_the_GPU_and_the_phase_says_so()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels byShape = Create(gpu, AiterKernelChoice.ByShape), always = Create(gpu, AiterKernelChoice.Always);
        KernelProvider provider = byShape.ProviderOf(AiterPrimitive.PagedDecode, _paged);
        Assert.Equal("aiter", provider.Name);
        Assert.Equal($"Steps of up to {2 * gpu.ComputeUnits / 16} rows are left to this library's kernel, which splits contexts.", provider.Reasons[0]);
        Assert.DoesNotContain("Steps of up to", string.Join(' ', always.ProviderOf(AiterPrimitive.PagedDecode, _paged).Reasons), StringComparison.Ordinal);
        Assert.DoesNotContain("Steps of up to", string.Join(' ', byShape.ProviderOf(AiterPrimitive.FlashVarlen, _paged).Reasons), StringComparison.Ordinal);

        using AiterTrial trial = AiterTrial.Create(AiterPrimitive.PagedDecode, gpu, _paged, blockSize: 16, maxRows: (2 * gpu.ComputeUnits / 16) + 1, maxLength: 16);
        using DeviceContext context = gpu.CreateContext(1 << 20);
        foreach ((AiterAttentionKernels kernels, int rows, bool isAiter) in ((AiterAttentionKernels, int, bool)[])[
            (always, 1, true), (byShape, (2 * gpu.ComputeUnits / 16) + 1, true), (byShape, 2 * gpu.ComputeUnits / 16, false)])
        {
            trial.Prepare(context, rows, 16);
            trial.Run(kernels, context, rows, 16);
            Assert.Equal(isAiter, HasOnlyRunAiter(gpu));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void By_times_the_faster_kernel_of_each_step_runs_and_later_sessions_find_the_times(bool latent)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        AiterPrimitive primitive = latent ? AiterPrimitive.MlaDecode : AiterPrimitive.PagedDecode;
        AttentionSpec spec = !latent ? _paged : new LatentDecodeCase(gpu, new TestRandom(1), 16, [(1, 1)]).Spec;
        // One row: AITER's takes 10, this library's 7, AITER's persistent one 8. Two rows: 20, 25 and 30. Each is timed three times, and the shortest counts.
        // Prompts follow.
        double[] persistentOfOne = latent ? [8, 8, 9] : [], persistentOfTwo = latent ? [30, 31, 30] : [];
        var clock = new FakeClock([12, 10, 11, 8, 7, 9, .. persistentOfOne, 20, 21, 22, 27, 25, 26, .. persistentOfTwo, 1, 1, 1, 2, 2, 2]);
        using AiterAttentionKernels measured = Create(gpu, AiterKernelChoice.Measured, clock.Read);
        measured.Tune(spec, _limits, 16, CancellationToken.None);
        Assert.Equal(latent ? 24 : 18, clock.NumReadings);
        Check(measured);

        // The same device and kernels: nothing is measured. Other limits: all is.
        using HipGpu sameGpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels later = Create(sameGpu, AiterKernelChoice.Measured, new FakeClock().Read);
        later.Tune(spec, _limits, 16, CancellationToken.None);
        Check(later);
        using (AiterTrial trial = AiterTrial.Create(primitive, sameGpu, spec, 16, 2, 64))
        using (DeviceContext context = sameGpu.CreateContext(8 << 20))
        {
            foreach (int rows in (int[])[2, 1])
            {
                trial.Prepare(context, rows, 64);
                trial.Run(later, context, rows, 64);
                Assert.Equal(rows == 2, HasOnlyRunAiter(sameGpu));
            }

            context.Synchronize();
        }

        var other = new FakeClock([.. Enumerable.Repeat(1.0, latent ? 15 : 12)]);
        using AiterAttentionKernels smaller = Create(gpu, AiterKernelChoice.Measured, other.Read);
        smaller.Tune(spec, _limits with { MaxNumRows = 1 }, 16, CancellationToken.None);
        Assert.Equal(latent ? 15 : 12, other.NumReadings);

        void Check(AiterAttentionKernels kernels)
        {
            KernelProvider provider = kernels.ProviderOf(primitive, spec);
            Assert.Equal("aiter", provider.Name);
            Assert.Equal("This library's kernel was faster in 1 of 2 measured steps: 1 x 64 (rows x tokens).", provider.Reasons[0]);
        }
    }

    [Fact]
    public void By_times_a_persistent_kernel_runs_where_it_was_the_fastest_and_the_phase_says_so()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        AttentionSpec spec = new LatentDecodeCase(gpu, new TestRandom(1), 16, [(1, 1)]).Spec;
        // One row: the persistent kernel. Two: AITER's other.
        var clock = new FakeClock([5, 5, 5, 6, 6, 6, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, .. Enumerable.Repeat(1.0, 6)]);
        using AiterAttentionKernels measured = Create(gpu, AiterKernelChoice.Measured, clock.Read);
        measured.Tune(spec, _limits, 16, CancellationToken.None);
        KernelProvider provider = measured.ProviderOf(AiterPrimitive.MlaDecode, spec);
        Assert.Equal("aiter", provider.Name);
        Assert.Equal("AITER's persistent kernel was faster in 1 of 2 measured steps: 1 x 64 (rows x tokens).", provider.Reasons[0]);

        using HipGpu other = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels later = Create(other, AiterKernelChoice.Measured, new FakeClock().Read);
        later.Tune(spec, _limits, 16, CancellationToken.None);
        using AiterTrial trial = AiterTrial.Create(AiterPrimitive.MlaDecode, other, spec, 16, 2, 64);
        using DeviceContext context = other.CreateContext(later.MlaDecodeScratchBytes(spec, _limits));
        foreach (int rows in (int[])[2, 1])
        {
            trial.Prepare(context, rows, 64);
            trial.Run(later, context, rows, 64);
            Assert.Equal(rows == 1, other.Library.LoadedUnits.Any(unit => unit.File == "attention/aiter_plan.hip"));
        }

        context.Synchronize();
    }

    [Fact]
    public void By_times_large_blocks_of_an_fp8_cache_have_their_own()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        AttentionSpec spec = _paged with { KvDType = DType.F8E4M3Fnuz };
        // One row: AITER's is slower. Two: faster. Prompts follow.
        var clock = new FakeClock(5, 5, 5, 4, 4, 4, 5, 5, 5, 6, 6, 6, 1, 1, 1, 1, 1, 1);
        using AiterAttentionKernels measured = Create(gpu, AiterKernelChoice.Measured, clock.Read, allowFp8Activations: true);
        measured.Tune(spec, _limits, 256, CancellationToken.None);
        Assert.Contains(
            "Over them this library's kernel was faster in 1 of 2 measured steps: 1 x 64 (rows x tokens).", measured.ProviderOf(AiterPrimitive.PagedDecode, spec).Reasons);

        using HipGpu other = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels later = Create(other, AiterKernelChoice.Measured, new FakeClock().Read, allowFp8Activations: true);
        later.Tune(spec, _limits, 256, CancellationToken.None);
        using AiterTrial trial = AiterTrial.Create(AiterPrimitive.PagedDecode, other, spec, 256, 2, 64);
        using DeviceContext context = other.CreateContext(later.PagedDecodeScratchBytes(spec, _limits));
        foreach (int rows in (int[])[2, 1])
        {
            trial.Prepare(context, rows, 64);
            trial.Run(later, context, rows, 64);
            Assert.Equal(rows == 2, HasOnlyRunAiter(other));
        }

        context.Synchronize();
    }

    [Fact]
    public void A_table_that_is_damaged_is_measured_again_and_one_that_another_process_has_made_meanwhile_wins()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        AttentionSpec spec = _paged with { MaxSeqLen = 16 };
        var limits = new BatchLimits(1, 1, 16);
        double[] ownIsFaster = [5, 5, 5, 4, 4, 4, 5, 5, 5, 4, 4, 4];
        using AiterAttentionKernels first = Create(gpu, AiterKernelChoice.Measured, new FakeClock(ownIsFaster).Read);
        first.Tune(spec, limits, 16, CancellationToken.None);
        Assert.Equal(("hip", "This library's kernel was faster in 1 of 1 measured steps: 1 x 16 (rows x tokens)."), Provider(first));
        string[] files = Directory.GetFiles(_folder);
        Assert.Equal(2, files.Length);
        byte[][] contents = [.. files.Select(File.ReadAllBytes)];
        foreach (string file in files) File.WriteAllBytes(file, [.. File.ReadAllBytes(file)[..^1], (byte)'x']);
        double[] aiterIsFaster = [4, 4, 4, 5, 5, 5, 4, 4, 4, 5, 5, 5];
        using AiterAttentionKernels second = Create(gpu, AiterKernelChoice.Measured, new FakeClock(aiterIsFaster).Read);
        second.Tune(spec, limits, 16, CancellationToken.None);
        Assert.Equal("aiter", Provider(second).Name);

        // While the third measures, another puts back what the first had found.
        foreach (string file in files) File.Delete(file);
        var clock = new FakeClock(aiterIsFaster) { OnReading = () => { for (int i = 0; i < files.Length; i++) File.WriteAllBytes(files[i], contents[i]); } };
        using AiterAttentionKernels third = Create(gpu, AiterKernelChoice.Measured, clock.Read);
        third.Tune(spec, limits, 16, CancellationToken.None);
        Assert.Equal("hip", Provider(third).Name);
        Assert.Equal(contents, files.Select(File.ReadAllBytes));

        (string Name, string Reason) Provider(AiterAttentionKernels kernels)
        {
            KernelProvider provider = kernels.ProviderOf(AiterPrimitive.PagedDecode, spec);
            return (provider.Name, provider.Reasons[0]);
        }
    }

    [Fact]
    public void Times_come_from_the_events_of_the_stream_where_no_clock_is_given()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels measured = Create(gpu, AiterKernelChoice.Measured);
        measured.Tune(_paged with { MaxSeqLen = 16 }, new BatchLimits(1, 1, 16), 16, CancellationToken.None);
        var cache = new CodeObjectCache(_folder, extension: ".times");
        foreach (string file in Directory.GetFiles(_folder))
        {
            KernelTime time = Assert.Single(KernelTimes.Read(File.ReadAllBytes(file).AsSpan(CodeObjectFile.HeaderBytes))!.All);
            Assert.True(time.Aiter > 0 && time.Own > 0, $"{time}");
        }

        Assert.Equal(2, Directory.GetFiles(cache.Folder).Length);
    }

    // A device whose own decode kernels have not run has not loaded them.
    private static bool HasOnlyRunAiter(HipGpu gpu) => !gpu.Library.LoadedUnits.Any(unit => unit.File is "attention/paged_attention.hip" or "attention/mla_decode.hip");

    private AiterAttentionKernels Create(HipGpu gpu, AiterKernelChoice choice, Func<HipContext, Action, double>? clock = null, bool allowFp8Activations = false)
    {
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        return new AiterAttentionKernels((HipAttentionKernels)gpu.AttentionKernels, AiterKernelLibrary.Open(gpu.Native, installation, false, out _), "", allowFp8Activations)
        {
            Choice = choice, TimesCache = new CodeObjectCache(_folder, extension: ".times"), Clock = clock,
        };
    }

    /// <summary>Gives the times that a test wants, and runs nothing.</summary>
    private sealed class FakeClock(params double[] readings)
    {
        public int NumReadings { get; private set; }

        public Action? OnReading { get; init; }

        public double Read(HipContext context, Action work)
        {
            OnReading?.Invoke();
            return readings[NumReadings++];
        }
    }
}
