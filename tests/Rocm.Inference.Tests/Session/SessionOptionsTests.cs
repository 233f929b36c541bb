using Microsoft.Extensions.Options;
using Rocm.Inference.Engine;
using Rocm.Inference.Tests.Engine;
using Xunit;

namespace Rocm.Inference.Tests.Session;

public sealed class SessionOptionsTests
{
    [Fact]
    public void One_exception_lists_every_bad_field_and_the_environment_variable()
    {
        var options = new InferenceSessionOptions
        {
            Device = null,
            DeviceIndex = -1,
            AttentionBackend = "",
            MaxModelLen = 0,
            MaxNumBatchedTokens = -5,
            MaxNumRequests = 100_000,
            BlockSize = 0,
            KvCacheDType = (KvCacheDType)77,
            KvCacheMemoryBytes = -1,
            KvCacheMemoryFraction = 1.5,
            NumThreads = 0,
        };
        var exception = Assert.Throws<OptionsValidationException>(() => Resolve(options, _ => "gpu"));
        string[] fields =
        [
            "ModelPath", "DeviceIndex", "AttentionBackend", "MaxModelLen", "MaxNumBatchedTokens", "MaxNumRequests", "BlockSize", "KvCacheDType",
            "KvCacheMemoryBytes", "KvCacheMemoryFraction", "NumThreads", SessionSettings.DeviceVariable,
        ];
        foreach (string field in fields)
            Assert.True(exception.Failures.Any(failure => failure.Contains(field, StringComparison.Ordinal)), $"{field} is not named in: {exception.Message}");
    }

    [Fact]
    public void Options_that_contradict_one_another_are_refused()
    {
        Refuses(new() { ModelPath = "m", MaxNumBatchedTokens = 8, MaxNumRequests = 9 }, "MaxNumRequests");
        Refuses(new() { ModelPath = "m", MaxNumBatchedTokens = 100, MaxModelLen = 200, EnableChunkedPrefill = false }, "EnableChunkedPrefill");
        Refuses(new() { ModelPath = "m", Device = DevicePreference.Cpu, DeviceIndex = 1 }, "DeviceIndex");
        Refuses(new() { ModelPath = "m", KvCacheMemoryFraction = double.NaN }, "KvCacheMemoryFraction");
        Refuses(new() { ModelPath = "m", Device = (DevicePreference)9 }, "Device");
        Resolve(new() { ModelPath = "m", MaxNumBatchedTokens = 8 }, _ => null);

        static void Refuses(InferenceSessionOptions options, string field) =>
            Assert.Contains(field, Assert.Throws<OptionsValidationException>(() => Resolve(options, _ => null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_explicit_option_beats_the_environment_and_the_source_is_kept()
    {
        Func<string, string?> environment = name => name == SessionSettings.DeviceVariable ? "HIP" : " ROCM_ATTN ";
        SessionSettings fromEnvironment = Resolve(new() { ModelPath = "m" }, environment);
        Assert.Equal(DevicePreference.Hip, fromEnvironment.Device.Value);
        Assert.Contains(SessionSettings.DeviceVariable, fromEnvironment.Device.Source, StringComparison.Ordinal);
        Assert.Equal("ROCM_ATTN", fromEnvironment.AttentionBackend.Value);
        Assert.Contains(SessionSettings.AttentionBackendVariable, fromEnvironment.AttentionBackend.Source, StringComparison.Ordinal);

        SessionSettings explicitly = Resolve(new() { ModelPath = "m", Device = DevicePreference.Auto, AttentionBackend = "TRITON_ATTN" }, environment);
        Assert.Equal(new Setting<DevicePreference>(DevicePreference.Auto, "option Device"), explicitly.Device);
        Assert.Equal(new Setting<string?>("TRITON_ATTN", "option AttentionBackend"), explicitly.AttentionBackend);

        SessionSettings neither = Resolve(new() { ModelPath = "m" }, _ => " ");
        Assert.Equal((DevicePreference.Auto, null), (neither.Device.Value, neither.AttentionBackend.Value));
    }

    [Fact]
    public async Task Changing_the_options_later_has_no_effect()
    {
        var options = new InferenceSessionOptions { ModelPath = "before" };
        (InferenceSession session, _) = await FakeModelLoader.LoadAsync(sessionOptions: options);
        await using InferenceSession disposing = session;
        options.ModelPath = "after";
        session.Options.ModelPath = "after";
        Assert.Equal("before", session.Options.ModelPath);
    }

    private static SessionSettings Resolve(InferenceSessionOptions options, Func<string, string?> environment) =>
        SessionSettings.Resolve(options, string.Empty, environment);
}
