namespace Rocm.Inference.Models;

/// <summary>
/// Upper bounds of config numbers: far above every real model, low enough that no product of two overflows and nothing is allocated
/// for a nonsensical value.
/// </summary>
internal static class ConfigLimits
{
    public const int VocabSize = 1 << 24;
    public const int HiddenSize = 1 << 20;
    public const int IntermediateSize = 1 << 22;
    public const int NumLayers = 10_000;
    public const int NumHeads = 1 << 14;
    public const int HeadDim = 1 << 12;
    public const int LoraRank = 1 << 14;
    public const int NumExperts = 1 << 14;
    public const int NumSharedExperts = 1 << 6;
    public const int NumPredictorLayers = 1 << 6;
    public const double RoutedScale = 1e6;
    public const int Positions = 1 << 30;
    public const double RopeTheta = 1e15;
    public const double RopeFactor = 1e6;
}
