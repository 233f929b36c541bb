using Microsoft.Extensions.Logging;
using Rocm.Inference.Batching;
using Rocm.Inference.Devices;
using Rocm.Inference.Diagnostics;
using Rocm.Inference.KvCache.Storage;
using Rocm.Inference.Models;

namespace Rocm.Inference.Engine;

/// <summary>
/// Loads a Hugging Face model folder: reads the configs, chooses device and attention backend, plans memory, and only then packs weights.
/// </summary>
internal sealed class HuggingFaceModelLoader : IModelLoader
{
    public LoadedModel Load(SessionSettings settings, SessionServices services, LoadProgressReporter progress, CancellationToken cancellationToken)
    {
        progress.Report(ModelLoadPhase.Configuration, 0, 0);
        ModelFolder folder = ModelFolder.Open(settings.ModelPath);
        cancellationToken.ThrowIfCancellationRequested();

        var owned = new Stack<IDisposable>();
        try
        {
            // Before anything that takes time: who asked for a GPU that is not there is told at once.
            ChosenDevice selected = new DeviceSelector(services.LoggerFactory).Select(settings, services.SharedDevice);
            if (selected.Ownership is { } share) owned.Push(share);
            progress.Report(ModelLoadPhase.Tokenizer, 0, 0);
            Tokenizer tokenizer = Tokenizer.Load(folder.Path);
            cancellationToken.ThrowIfCancellationRequested();
            SessionPlan plan = SessionPlan.Make(folder, settings, services, selected.Device);
            owned.Push(plan);
            Tell(plan.Decoder, services.LoggerFactory.CreateLogger(Log.Category));
            if (settings.Options.VerifyKernels && selected.Device.Kind != DeviceKind.Cpu) KernelVerification.Run(plan, selected.Device, cancellationToken);
            AttentionSelection attention = Tune(plan, selected.Device, cancellationToken);
            var weights = new WeightProgress(progress);
            DecoderModel model = DecoderModel.Load(plan.Decoder, selected.Device, weights, cancellationToken);
            owned.Push(model);
            progress.Report(ModelLoadPhase.Engine, 0, 0);
            ModelExecutor executor = CreateExecutor(plan, model, selected, settings.Options.EnableDeviceGraphs, services.LoggerFactory, owned);
            var loaded = new LoadedModel
            {
                Executor = executor,
                Tokenizer = tokenizer,
                Text = new TokenizerCodec(tokenizer),
                Info = plan.Describe(folder, model, selected.Device),
                Device = selected.Info,
                Attention = attention,
                Defaults = Defaults(folder, tokenizer),
            };

            // Last: what a device says of itself may fail too.
            owned.Clear();
            return loaded;
        }
        finally
        {
            while (owned.TryPop(out IDisposable? resource)) resource.Dispose();
        }
    }

    /// <summary>Before anything is uploaded: measurements need room. What was measured may change whose kernels a phase runs.</summary>
    private static AttentionSelection Tune(SessionPlan plan, IDevice device, CancellationToken cancellationToken)
    {
        device.TuneLinear(plan.Decoder.Sources.Products, plan.Limits.MaxNumTokens, cancellationToken);
        foreach (IFusedExperts experts in plan.Decoder.Experts(device).Select(experts => experts.Fused).OfType<IFusedExperts>().Distinct())
            experts.Tune(plan.Limits.MaxNumTokens, cancellationToken);
        if (!plan.Selection.Phases.Any(phase => phase.Provider == "aiter")) return plan.Selection;
        IReadOnlyList<LayerGroup> groups = plan.Decoder.Groups.Groups;
        foreach (LayerGroup group in groups) device.TuneAttention(group.Spec, plan.Limits, plan.BlockSize, cancellationToken);
        return plan.Selection with { Phases = plan.Backend.DescribePhases(groups[0].Spec, device) };
    }

    private static ModelExecutor CreateExecutor(
        SessionPlan plan, DecoderModel model, ChosenDevice selected, bool enableGraphs, ILoggerFactory loggers, Stack<IDisposable> owned)
    {
        IReadOnlyList<LayerGroup> groups = model.Groups.Groups;
        KvCacheStorage storage = KvCacheStorage.Allocate(
            selected.Device, groups[0].Spec, plan.BlockSize, model.Groups.LayersPerBlock, plan.Memory.NumBlocks);
        owned.Push(storage);
        var attention = new IAttentionExecutor[groups.Count];
        BatchOrder order = BatchOrder.Any;
        int decodeThreshold = 1;
        foreach (LayerGroup group in groups)
        {
            var resources = new AttentionResources
            {
                Device = selected.Device,
                Limits = plan.Limits,
                Layers = [.. group.Layers.Select((layer, slot) =>
                    model.AttentionResources(layer, storage.View(group.Spec, plan.Layout.Kind, plan.BlockSize, slot)))],
            };
            attention[group.Index] = plan.Backend.CreateExecutor(group.Spec, resources);
            owned.Push(attention[group.Index]);
            if (attention[group.Index].Order == BatchOrder.Any) continue;
            order = attention[group.Index].Order;
            decodeThreshold = attention[group.Index].DecodeThreshold;
        }

        DeviceContext context = selected.Device.CreateContext(plan.ArenaBytes);
        owned.Push(context);
        var builder = new ForwardBatchBuilder(selected.Device, plan.Groups.ToArray(), order, plan.Limits, decodeThreshold);
        owned.Push(builder);
        var facts = new ModelFacts(model.VocabSize, plan.MaxModelLen, plan.Limits.MaxNumTokens, plan.Limits.MaxNumRows);
        StepRecorder? recorder = enableGraphs ? StepRecorder.Create(context, attention, plan.Limits, loggers.CreateLogger(Log.Category)) : null;
        return new ModelExecutor(facts, plan.Groups, model, storage, context, builder, attention, recorder, selected.Ownership);
    }

    private static void Tell(DecoderPlan plan, ILogger logger)
    {
        int predictors = plan.PredictorTensors.Count;
        if (predictors > 0) Log.PredictorsIgnored(logger, plan.Config.Decoder.NumPredictorLayers, predictors);
        if (plan.UnusedTensors.Count > 0) Log.UnusedTensors(logger, plan.UnusedTensors.Count, plan.UnusedTensors[0]);
    }

    private static GenerationDefaults Defaults(ModelFolder folder, Tokenizer tokenizer) => new()
    {
        EosTokenIds = [.. folder.EosTokenIds.Union(folder.Config.EosTokenIds).Union(tokenizer.EosTokenIds)],
        DoSample = folder.Generation?.DoSample ?? false,
        Temperature = (float?)folder.Generation?.Temperature,
        TopK = folder.Generation?.TopK,
        TopP = (float?)folder.Generation?.TopP,
        MinP = (float?)folder.Generation?.MinP,
        RepetitionPenalty = (float?)folder.Generation?.RepetitionPenalty,
    };

    private sealed class WeightProgress(LoadProgressReporter progress) : IProgress<WeightLoadProgress>
    {
        public void Report(WeightLoadProgress value) => progress.Report(ModelLoadPhase.Weights, value.BytesDone, value.BytesTotal);
    }
}
