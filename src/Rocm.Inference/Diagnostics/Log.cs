using Microsoft.Extensions.Logging;

namespace Rocm.Inference.Diagnostics;

/// <summary>All log messages of the library. None carries text of prompts or answers.</summary>
internal static partial class Log
{
    public const string Category = "Rocm.Inference";

    [LoggerMessage(1, LogLevel.Information, "Loading {ModelPath}.")]
    public static partial void Loading(ILogger logger, string modelPath);

    [LoggerMessage(2, LogLevel.Information, "Loaded {Model} ({Architecture}) in {Seconds:F1} s: at most {MaxModelLen} tokens a request, {CacheTokens} tokens of KV cache ({CacheBytes} bytes).")]
    public static partial void Loaded(
        ILogger logger, string model, string architecture, double seconds, int maxModelLen, long cacheTokens, long cacheBytes);

    [LoggerMessage(3, LogLevel.Information, "Device: {Device} ({Architecture}), {Reason}.")]
    public static partial void DeviceChosen(ILogger logger, string device, string architecture, string reason);

    [LoggerMessage(4, LogLevel.Warning, "No GPU is used: {Reason}. Running on {Device}.")]
    public static partial void DeviceFallback(ILogger logger, string reason, string device);

    [LoggerMessage(5, LogLevel.Information, "Attention: {Selection}.")]
    public static partial void AttentionChosen(ILogger logger, string selection);

    [LoggerMessage(6, LogLevel.Error, "Loading {ModelPath} failed.")]
    public static partial void LoadFailed(ILogger logger, string modelPath, Exception exception);

    [LoggerMessage(7, LogLevel.Critical, "The engine has failed; all requests end and the session answers no more.")]
    public static partial void EngineFaulted(ILogger logger, Exception exception);

    [LoggerMessage(8, LogLevel.Warning, "Releasing the model failed.")]
    public static partial void DisposeFailed(ILogger logger, Exception exception);

    [LoggerMessage(9, LogLevel.Debug, "Request {Request} finished ({Reason}): {PromptTokens} prompt tokens, {CachedTokens} cached, {GeneratedTokens} generated.")]
    public static partial void RequestFinished(
        ILogger logger, string request, FinishReason reason, int promptTokens, int cachedTokens, int generatedTokens);

    [LoggerMessage(10, LogLevel.Debug, "Request {Request} cancelled after {GeneratedTokens} tokens.")]
    public static partial void RequestCancelled(ILogger logger, string request, int generatedTokens);

    [LoggerMessage(11, LogLevel.Debug, "Request {Request} preempted at {NumTokens} tokens: the KV cache is full.")]
    public static partial void RequestPreempted(ILogger logger, string request, int numTokens);

    [LoggerMessage(12, LogLevel.Debug, "{Count} tensors of the checkpoint are not used, {First} among them.")]
    public static partial void UnusedTensors(ILogger logger, int count, string first);

    [LoggerMessage(13, LogLevel.Information, "The {Layers} layers that predict further tokens (MTP) are not used: {Count} tensors of the checkpoint are left out.")]
    public static partial void PredictorsIgnored(ILogger logger, int layers, int count);

    [LoggerMessage(14, LogLevel.Warning, "Decode steps of {Rows} rows and at most {Tokens} tokens cannot be recorded; they run without a graph.")]
    public static partial void StepNotRecorded(ILogger logger, int rows, int tokens, Exception exception);
}
