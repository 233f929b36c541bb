using Microsoft.Extensions.Options;

namespace Rocm.Inference.Engine;

/// <summary>Ranges of single options, from their annotations.</summary>
[OptionsValidator]
internal sealed partial class InferenceSessionOptionsAnnotationsValidator : IValidateOptions<InferenceSessionOptions>;

/// <summary>All rules of <see cref="InferenceSessionOptions"/>: the annotations, and what concerns several options. Does no I/O.</summary>
internal sealed class InferenceSessionOptionsValidator : IValidateOptions<InferenceSessionOptions>
{
    private readonly string? _name;

    /// <param name="name">Name of the options to check; null for all.</param>
    public InferenceSessionOptionsValidator(string? name = null) => _name = name;

    public ValidateOptionsResult Validate(string? name, InferenceSessionOptions options)
    {
        if (_name is not null && _name != name) return ValidateOptionsResult.Skip;
        var failures = new List<string>();
        ValidateOptionsResult annotations = new InferenceSessionOptionsAnnotationsValidator().Validate(name, options);
        if (annotations.Failed) failures.AddRange(annotations.Failures);

        if (options.ModelPath is string path && path.Contains('\0', StringComparison.Ordinal))
            failures.Add($"{nameof(options.ModelPath)} must be a folder; found a text with a NUL character.");
        if (options.KvCacheMemoryFraction is double fraction && double.IsNaN(fraction))
            failures.Add($"{nameof(options.KvCacheMemoryFraction)} must be above 0 and at most 1; found NaN.");
        if (options.DeviceIndex is not null && options.Device == DevicePreference.Cpu)
            failures.Add($"{nameof(options.DeviceIndex)} counts GPUs and cannot be given with {nameof(options.Device)} = Cpu.");
        if (options.MaxNumBatchedTokens < options.MaxNumRequests)
        {
            failures.Add(
                $"{nameof(options.MaxNumBatchedTokens)} ({options.MaxNumBatchedTokens}) must be at least {nameof(options.MaxNumRequests)} "
                + $"({options.MaxNumRequests}): every running request computes a token in a step.");
        }

        if (!options.EnableChunkedPrefill && options.MaxNumBatchedTokens < options.MaxModelLen)
        {
            failures.Add(
                $"{nameof(options.MaxNumBatchedTokens)} ({options.MaxNumBatchedTokens}) must be at least {nameof(options.MaxModelLen)} "
                + $"({options.MaxModelLen}) when {nameof(options.EnableChunkedPrefill)} is false: a prompt must fit one step.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
