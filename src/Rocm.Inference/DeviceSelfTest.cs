using Microsoft.Extensions.Logging.Abstractions;
using Rocm.Inference.Engine;
using Rocm.Inference.SelfTest;

namespace Rocm.Inference;

/// <summary>
/// Runs every kernel of a device on random operands and compares with a naive implementation in double precision that shares no code with any
/// kernel. For hardware that this library was never run on, and for drivers and compilers that are new to it.
/// </summary>
public static class DeviceSelfTest
{
    /// <summary>Tests the device that a session with these options would run on; a model is not needed.</summary>
    /// <param name="options">Which device: <see cref="InferenceSessionOptions.Device"/>, <see cref="InferenceSessionOptions.DeviceIndex"/> and
    /// <see cref="InferenceSessionOptions.NumThreads"/>, or the environment variables that stand for them.</param>
    /// <param name="selfTest">What to run, or null for the defaults.</param>
    /// <param name="progress">Told every result as it comes, from the testing thread.</param>
    /// <param name="cancellationToken">Stops between two checks.</param>
    /// <exception cref="DeviceNotAvailableException">The device that was asked for cannot be used.</exception>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is wrong.</exception>
    /// <exception cref="ArgumentException">A kernel was named that does not exist.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Task<SelfTestReport> RunAsync(
        InferenceSessionOptions options,
        SelfTestOptions? selfTest = null,
        IProgress<SelfTestResult>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var runner = new SelfTestRunner(selfTest, progress);
        InferenceSessionOptions copy = options.Clone();
        copy.ModelPath ??= ".";
        SessionSettings settings = SessionSettings.Resolve(copy, string.Empty, Environment.GetEnvironmentVariable);
        return OnThread(
            () =>
            {
                ChosenDevice chosen = new DeviceSelector(NullLoggerFactory.Instance).Select(settings, shared: null);
                using IDisposable? ownership = chosen.Ownership;
                return runner.Run(chosen.Device, cancellationToken);
            },
            cancellationToken);
    }

    /// <summary>Tests a device.</summary>
    /// <param name="device">The device; sessions may go on using it.</param>
    /// <param name="selfTest">What to run, or null for the defaults.</param>
    /// <param name="progress">Told every result as it comes, from the testing thread.</param>
    /// <param name="cancellationToken">Stops between two checks.</param>
    /// <exception cref="ArgumentException">A kernel was named that does not exist.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Task<SelfTestReport> RunAsync(
        IDevice device,
        SelfTestOptions? selfTest = null,
        IProgress<SelfTestResult>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        var runner = new SelfTestRunner(selfTest, progress);
        return OnThread(() => runner.Run(device, cancellationToken), cancellationToken);
    }

    // Kernels of the CPU device, and waiting for a GPU, hold their thread for seconds: not one of the pool's.
    private static Task<SelfTestReport> OnThread(Func<SelfTestReport> test, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(test, cancellationToken, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
}
