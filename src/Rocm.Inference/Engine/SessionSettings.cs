using Microsoft.Extensions.Options;

namespace Rocm.Inference.Engine;

/// <summary>A value and who said it, for error messages.</summary>
internal readonly record struct Setting<T>(T Value, string Source);

/// <summary>Validated options of a session, with environment variables merged in: an explicit option wins.</summary>
internal sealed class SessionSettings
{
    public const string AttentionBackendVariable = "ROCM_INFERENCE_ATTENTION_BACKEND";
    public const string DeviceVariable = "ROCM_INFERENCE_DEVICE";

    private SessionSettings(InferenceSessionOptions options, Setting<DevicePreference> device, Setting<string?> attentionBackend)
    {
        Options = options;
        Device = device;
        AttentionBackend = attentionBackend;
        ModelPath = options.ModelPath!;
    }

    /// <summary>A private copy: later changes to the caller's object have no effect.</summary>
    public InferenceSessionOptions Options { get; }

    public string ModelPath { get; }

    public Setting<DevicePreference> Device { get; }

    /// <summary>Name of the backend asked for, or null for a free choice.</summary>
    public Setting<string?> AttentionBackend { get; }

    /// <summary>Checks everything and throws one <see cref="OptionsValidationException"/> that lists all that is wrong.</summary>
    /// <param name="options">Options as given.</param>
    /// <param name="name">Name of the options: the session's key, or empty.</param>
    /// <param name="environment">Reads an environment variable.</param>
    public static SessionSettings Resolve(InferenceSessionOptions options, string name, Func<string, string?> environment)
    {
        InferenceSessionOptions copy = options.Clone();
        var failures = new List<string>();
        ValidateOptionsResult result = new InferenceSessionOptionsValidator().Validate(name, copy);
        if (result.Failed) failures.AddRange(result.Failures);

        Setting<DevicePreference> device = ResolveDevice(copy, environment, failures);
        Setting<string?> backend = ResolveAttentionBackend(copy, environment);
        if (failures.Count > 0) throw new OptionsValidationException(name, typeof(InferenceSessionOptions), failures);
        return new SessionSettings(copy, device, backend);
    }

    private static Setting<DevicePreference> ResolveDevice(
        InferenceSessionOptions options, Func<string, string?> environment, List<string> failures)
    {
        if (options.Device is DevicePreference device) return new(device, $"option {nameof(InferenceSessionOptions.Device)}");
        string? text = environment(DeviceVariable);
        if (string.IsNullOrWhiteSpace(text)) return new(DevicePreference.Auto, "default");
        foreach (DevicePreference value in Enum.GetValues<DevicePreference>())
        {
            if (string.Equals(text.Trim(), value.ToString(), StringComparison.OrdinalIgnoreCase))
                return new(value, $"environment variable {DeviceVariable}");
        }

        failures.Add($"Environment variable {DeviceVariable} must be auto, cpu or hip; found '{text}'.");
        return new(DevicePreference.Auto, "default");
    }

    private static Setting<string?> ResolveAttentionBackend(InferenceSessionOptions options, Func<string, string?> environment)
    {
        if (options.AttentionBackend is string name) return new(name, $"option {nameof(InferenceSessionOptions.AttentionBackend)}");
        string? text = environment(AttentionBackendVariable);
        return string.IsNullOrWhiteSpace(text) ? new(null, "default") : new(text.Trim(), $"environment variable {AttentionBackendVariable}");
    }
}
