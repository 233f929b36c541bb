namespace Rocm.Inference.Engine;

/// <summary>Turns settings into something that runs. Called once per session, on a thread of its own.</summary>
internal interface IModelLoader
{
    /// <summary>Loads, or throws and leaves nothing behind.</summary>
    LoadedModel Load(SessionSettings settings, SessionServices services, LoadProgressReporter progress, CancellationToken cancellationToken);
}
