using Rocm.Inference.Devices;
using Rocm.Inference.Models;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.Models;

public sealed class DecoderModelLoadTests : IDisposable
{
    private const int NumMatrices = 6;
    private readonly CheckpointFolder _folder = new CheckpointFolder().Text("config.json", TinyLlama.Config).Tensors("model.safetensors", TinyLlama.Tensors);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_matrix_is_packed_once_fused_where_the_layer_is_and_released_with_the_model()
    {
        using var device = new RecordingDevice();
        using DecoderPlan plan = Plan();
        DecoderModel model = DecoderModel.Load(plan, device, null, CancellationToken.None);

        Assert.Equal(
            ["embed_tokens", "q_proj+k_proj+v_proj", "o_proj", "gate_proj+up_proj", "down_proj", "lm_head"],
            device.Weights.Select(weight => string.Join('+', weight.Source.Parts.ToArray().Select(part => part.Name.Split('.')[^2]))));
        Assert.Equal(plan.WeightBytes, model.ResidentBytes);
        Assert.Equal(2, device.LiveBuffers);

        model.Dispose();
        Assert.Equal((0, 0), (device.LiveWeights, device.LiveBuffers));
    }

    [Fact]
    public void A_tied_head_is_not_packed_again()
    {
        _folder.Text("config.json", TinyLlama.With(("tie_word_embeddings", "true")));
        using var device = new RecordingDevice();
        using DecoderPlan plan = Plan();
        using DecoderModel model = DecoderModel.Load(plan, device, null, CancellationToken.None);

        Assert.Equal(NumMatrices - 1, device.Weights.Count);
    }

    [Fact]
    public void Progress_goes_up_to_the_total()
    {
        using var device = new RecordingDevice();
        using DecoderPlan plan = Plan();
        var reports = new List<WeightLoadProgress>();
        using DecoderModel model = DecoderModel.Load(plan, device, new Listener(reports.Add), CancellationToken.None);

        Assert.Equal(NumMatrices, reports.Count);
        Assert.Equal(reports.OrderBy(report => report.BytesDone), reports);
        Assert.All(reports, report => Assert.Equal(plan.MatrixBytes, report.BytesTotal));
        Assert.Equal(plan.MatrixBytes, reports[^1].BytesDone);
    }

    [Fact]
    public void Cancelled_between_any_two_matrices_everything_is_released()
    {
        for (int cancelAt = 0; cancelAt < NumMatrices; cancelAt++)
        {
            int last = cancelAt;
            using var cancellation = new CancellationTokenSource();
            using var device = new RecordingDevice();
            using DecoderPlan plan = Plan();
            int seen = 0;
            var progress = new Listener(_ =>
            {
                if (++seen == last) cancellation.Cancel();
            });
            if (cancelAt == 0) cancellation.Cancel();

            Assert.Throws<OperationCanceledException>(() => DecoderModel.Load(plan, device, progress, cancellation.Token));

            Assert.Equal((cancelAt, 0, 0), (device.Weights.Count, device.LiveWeights, device.LiveBuffers));
        }
    }

    [Fact]
    public void Out_of_memory_at_any_matrix_releases_everything_and_closes_the_files()
    {
        for (int failAt = 0; failAt < NumMatrices; failAt++)
        {
            int last = failAt;
            using var device = new RecordingDevice { Packing = count => { if (count == last) throw new DeviceMemoryException("full"); } };
            using DecoderPlan plan = Plan();

            Assert.Throws<DeviceMemoryException>(() => DecoderModel.Load(plan, device, null, CancellationToken.None));

            Assert.Equal((failAt, 0, 0), (device.Weights.Count, device.LiveWeights, device.LiveBuffers));
            if (OperatingSystem.IsLinux()) Assert.False(IsMapped());
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_files_stay_mapped_only_while_a_weight_reads_them(bool shares)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The list of mappings is read from /proc.");
        using var device = new RecordingDevice { SharesSource = shares };
        using DecoderPlan plan = Plan();
        DecoderModel model = DecoderModel.Load(plan, device, null, CancellationToken.None);
        Assert.Equal(shares, IsMapped());

        model.Dispose();
        Assert.False(IsMapped());
    }

    [Fact]
    public void A_plan_loads_one_model()
    {
        using var device = new RecordingDevice();
        using DecoderPlan plan = Plan();
        using DecoderModel model = DecoderModel.Load(plan, device, null, CancellationToken.None);

        Assert.Throws<ObjectDisposedException>(() => DecoderModel.Load(plan, device, null, CancellationToken.None));
    }

    [Fact]
    public void Layers_with_equal_rope_parameters_share_a_table()
    {
        _folder.Text("config.json", TinyLlama.With(("num_hidden_layers", "2"))).Tensors("model.safetensors", [
            .. TinyLlama.Tensors, .. TinyLlama.Tensors.Where(tensor => tensor.Name.Contains(".0.", StringComparison.Ordinal))
                .Select(tensor => (tensor.Name.Replace(".0.", ".1.", StringComparison.Ordinal), tensor.Shape))]);
        using var device = new RecordingDevice();
        using DecoderPlan plan = Plan();
        using DecoderModel model = DecoderModel.Load(plan, device, null, CancellationToken.None);

        RopeTable? first = model.AttentionResources(0, default).Rope;
        Assert.NotNull(first);
        Assert.Same(first, model.AttentionResources(1, default).Rope);
        Assert.Equal((32, 4), (first.Positions, first.RotaryDim));
    }

    private DecoderPlan Plan() =>
        DecoderPlan.Create(ModelFolder.Open(_folder.Path), new ModelRuntimeSettings(32, DType.BF16), DType.F32, ParallelContext.Single);

    private bool IsMapped() => File.ReadAllText("/proc/self/maps").Contains(_folder.Path, StringComparison.Ordinal);

    private sealed class Listener(Action<WeightLoadProgress> report) : IProgress<WeightLoadProgress>
    {
        public void Report(WeightLoadProgress value) => report(value);
    }
}
