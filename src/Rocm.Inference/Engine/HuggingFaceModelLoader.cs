namespace Rocm.Inference.Engine;

/// <summary>Loads a Hugging Face model folder.</summary>
internal sealed class HuggingFaceModelLoader : IModelLoader
{
    public LoadedModel Load(SessionSettings settings, SessionServices services, LoadProgressReporter progress, CancellationToken cancellationToken)
    {
        progress.Report(ModelLoadPhase.Configuration, 0, 0);
        if (!Directory.Exists(settings.ModelPath))
            throw new ModelLoadException("The model folder does not exist.", Path.GetFullPath(settings.ModelPath));
        throw new ModelLoadException("Model files cannot be read yet.", Path.GetFullPath(settings.ModelPath));
    }
}
