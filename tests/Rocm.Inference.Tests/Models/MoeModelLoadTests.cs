using Rocm.Inference.Devices;
using Rocm.Inference.Models;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.Models;

/// <summary>Loading of models with experts and latent attention: what is packed, and that nothing leaks.</summary>
public sealed class MoeModelLoadTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Experts_are_packed_as_groups_and_the_latent_projection_three_times()
    {
        Write();
        using var device = new RecordingDevice();
        using DecoderPlan plan = Plan();
        DecoderModel model = DecoderModel.Load(plan, device, null, CancellationToken.None);

        // Each layer: W_UK and W_UV of 4 heads; layers 1 and 2: gate and up, down of 8 experts.
        Assert.Equal(
            [(4, 32, 16), (4, 16, 32), (4, 32, 16), (4, 16, 32), (8, 64, 64), (8, 64, 32), (4, 32, 16), (4, 16, 32), (8, 64, 64), (8, 64, 32)],
            device.Groups.Select(group => (group.Count, group.OutputFeatures, group.InputFeatures)));
        Assert.Equal(plan.WeightBytes, model.ResidentBytes);
        Assert.NotNull(model.AttentionResources(1, default).Mla);

        model.Dispose();
        Assert.Equal((0, 0), (device.LiveWeights, device.LiveBuffers));
    }

    [Fact]
    public void Cancelled_or_failing_at_any_weight_everything_is_released()
    {
        Write();
        int total;
        using (var device = new RecordingDevice())
        using (DecoderPlan plan = Plan())
        using (DecoderModel.Load(plan, device, null, CancellationToken.None)) total = device.Weights.Count + device.Groups.Count;

        Assert.Equal(2 + (3 * 6) + 2 + (2 * 5), total);
        for (int failAt = 0; failAt < total; failAt++)
        {
            int last = failAt;
            using var cancellation = new CancellationTokenSource();
            using var device = new RecordingDevice { Packing = count => { if (count == last) throw new DeviceMemoryException("full"); } };
            using DecoderPlan plan = Plan();

            Assert.Throws<DeviceMemoryException>(() => DecoderModel.Load(plan, device, null, cancellation.Token));

            Assert.Equal((failAt, 0, 0), (device.Weights.Count + device.Groups.Count, device.LiveWeights, device.LiveBuffers));
        }
    }

    [Fact]
    public void Progress_goes_up_to_the_total()
    {
        Write();
        using var device = new RecordingDevice();
        using DecoderPlan plan = Plan();
        var reports = new List<WeightLoadProgress>();
        using DecoderModel model = DecoderModel.Load(plan, device, new Listener(reports.Add), CancellationToken.None);

        Assert.Equal(reports.OrderBy(report => report.BytesDone), reports);
        Assert.Equal((plan.MatrixBytes, plan.MatrixBytes), (reports[^1].BytesDone, reports[^1].BytesTotal));
    }

    [Fact]
    public void The_latent_projection_counts_once_as_parameters()
    {
        GoldenCheckpoint golden = Write();
        using DecoderPlan plan = Plan();

        Assert.Equal(golden.Tensors.Sum(tensor => tensor.ElementCount), plan.ParameterCount);
    }

    [Fact]
    public void Layers_that_predict_further_tokens_are_left_out_and_told_apart()
    {
        Write();
        string path = _folder.File("model.safetensors");
        RawTensor[] tensors = RawSafetensors.Read(path);
        RawTensor[] predictor = [.. tensors.Where(tensor => tensor.Name.StartsWith("model.layers.2.", StringComparison.Ordinal))
            .Select(tensor => tensor with { Name = tensor.Name.Replace("layers.2.", "layers.3.", StringComparison.Ordinal) }),
            RawTensor.F32("model.layers.3.eh_proj.weight", [64, 128], new float[64 * 128]), RawTensor.F32("model.layers.3.enorm.weight", [64], new float[64])];
        File.Delete(path);
        RawSafetensors.Write(path, [.. tensors, .. predictor]);
        string config = File.ReadAllText(_folder.File("config.json"));
        _folder.Text("config.json", config.Replace("\"num_nextn_predict_layers\":0", "\"num_nextn_predict_layers\":1", StringComparison.Ordinal));

        using DecoderPlan plan = Plan();
        Assert.Equal(predictor.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), plan.PredictorTensors);
        Assert.Empty(plan.UnusedTensors);
    }

    private GoldenCheckpoint Write()
    {
        GoldenCheckpoint golden = GoldenCheckpoint.Load("deepseek-v3");
        golden.WriteTo(_folder.Path, GoldenWeights.Float32);
        return golden;
    }

    private DecoderPlan Plan() =>
        DecoderPlan.Create(ModelFolder.Open(_folder.Path), new ModelRuntimeSettings(32, DType.BF16), DType.F32, ParallelContext.Single);

    private sealed class Listener(Action<WeightLoadProgress> report) : IProgress<WeightLoadProgress>
    {
        public void Report(WeightLoadProgress value) => report(value);
    }
}
