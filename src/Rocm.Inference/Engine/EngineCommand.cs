namespace Rocm.Inference.Engine;

internal enum EngineCommandKind
{
    Add,
    Abort,
}

/// <summary>What callers ask of the engine's thread.</summary>
internal readonly record struct EngineCommand(EngineCommandKind Kind, EngineRequest Request);
