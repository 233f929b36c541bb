using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Rocm.Inference.Engine;
using Rocm.Inference.Tests.Engine;
using Xunit;

namespace Rocm.Inference.Tests.DependencyInjection;

public sealed class AddRocmInferenceTests
{
    private static readonly GenerationOptions Short = new() { MaxNewTokens = 3 };

    [Fact]
    public async Task Resolving_does_no_loading_and_the_first_call_does()
    {
        var loader = new FakeModelLoader(new FakeModelOptions());
        await using ServiceProvider provider = Services(loader, services => services.AddRocmInference(o => o.ModelPath = "m")).BuildServiceProvider();
        var session = provider.GetRequiredService<InferenceSession>();
        Assert.Same(session, provider.GetRequiredService<InferenceSession>());
        Assert.Equal((0, SessionState.Loading), (loader.NumLoads, session.State));
        Assert.Equal(3, (await session.CompleteAsync("abc", Short)).Usage.GeneratedTokens);
        Assert.Equal((1, SessionState.Ready), (loader.NumLoads, session.State));
    }

    [Fact]
    public async Task Keyed_sessions_have_their_own_options_and_life()
    {
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Small:ModelPath"] = "small",
            ["Small:MaxNumRequests"] = "3",
            ["Small:KvCacheDType"] = "F16",
            ["Small:EnablePrefixCaching"] = "false",
            ["Small:KvCacheMemoryBytes"] = "123456789012",
            ["Small:Device"] = "cpu",
            ["Large:ModelPath"] = "large",
        }).Build();
        var loader = new FakeModelLoader(new FakeModelOptions());
        ServiceCollection services = Services(loader, s =>
        {
            s.AddRocmInference("small", configuration.GetSection("Small"));
            s.AddRocmInference("large", configuration.GetSection("Large"));
        });
        await using ServiceProvider provider = services.BuildServiceProvider();
        var small = provider.GetRequiredKeyedService<InferenceSession>("small");
        var large = provider.GetRequiredKeyedService<InferenceSession>("large");
        Assert.NotSame(small, large);
        Assert.Null(provider.GetService<InferenceSession>());
        InferenceSessionOptions options = small.Options;
        Assert.Equal(
            ("small", 3, KvCacheDType.F16, false, 123456789012L, DevicePreference.Cpu),
            (options.ModelPath, options.MaxNumRequests, options.KvCacheDType, options.EnablePrefixCaching, options.KvCacheMemoryBytes, options.Device));
        Assert.Equal("large", large.Options.ModelPath);
        await small.CompleteAsync("abc", Short);
        Assert.Equal(SessionState.Loading, large.State);
    }

    [Fact]
    public void Options_are_validated_at_the_start_and_all_that_is_wrong_is_listed()
    {
        ServiceCollection services = Services(new FakeModelLoader(new FakeModelOptions()), s => s.AddRocmInference(o => (o.MaxModelLen, o.NumThreads) = (-1, 0)));
        using ServiceProvider provider = services.BuildServiceProvider();
        var exception = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<IStartupValidator>().Validate());
        foreach (string field in (string[])["ModelPath", "MaxModelLen", "NumThreads"])
            Assert.Single(exception.Failures, failure => failure.Contains(field, StringComparison.Ordinal));
        Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<InferenceSession>());
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task The_host_loads_at_its_start_unless_told_not_to(bool loadOnStart, int expectedLoads)
    {
        var loader = new FakeModelLoader(new FakeModelOptions());
        ServiceCollection services = Services(loader, s => s.AddRocmInference(o => (o.ModelPath, o.LoadOnStart) = ("m", loadOnStart)));
        await using ServiceProvider provider = services.BuildServiceProvider();
        foreach (IHostedService service in provider.GetServices<IHostedService>()) await service.StartAsync(CancellationToken.None);
        Assert.Equal(expectedLoads, loader.NumLoads);
    }

    [Fact]
    public async Task A_broken_model_stops_the_start_of_the_host()
    {
        var loader = new FakeModelLoader(new FakeModelOptions { OnLoad = (_, _) => throw new ModelLoadException("broken") });
        await using ServiceProvider provider = Services(loader, s => s.AddRocmInference(o => o.ModelPath = "m")).BuildServiceProvider();
        IHostedService service = Assert.Single(provider.GetServices<IHostedService>());
        await Assert.ThrowsAsync<ModelLoadException>(() => service.StartAsync(CancellationToken.None));
        await service.StopAsync(CancellationToken.None);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_container_disposes_the_session_either_way(bool asynchronously)
    {
        var loader = new FakeModelLoader(new FakeModelOptions());
        ServiceProvider provider = Services(loader, s => s.AddRocmInference(o => o.ModelPath = "m")).BuildServiceProvider();
        var session = provider.GetRequiredService<InferenceSession>();
        await session.CompleteAsync("abc", Short);
        if (asynchronously) await provider.DisposeAsync();
        else provider.Dispose();
        Assert.Equal(SessionState.Disposed, session.State);
        Assert.True(loader.Executor!.IsDisposed);
    }

    [Fact]
    public async Task Adding_twice_adds_to_one_session()
    {
        var loader = new FakeModelLoader(new FakeModelOptions());
        ServiceCollection services = Services(loader, s =>
        {
            s.AddRocmInference(o => o.ModelPath = "m");
            s.AddRocmInference(o => o.NumThreads = 2);
        });
        await using ServiceProvider provider = services.BuildServiceProvider();
        Assert.Single(provider.GetServices<InferenceSession>());
        Assert.Single(provider.GetServices<IHostedService>());
        InferenceSessionOptions options = provider.GetRequiredService<InferenceSession>().Options;
        Assert.Equal(("m", 2), (options.ModelPath, options.NumThreads));
    }

    [Fact]
    public async Task Loggers_and_own_backends_of_the_container_reach_the_loader()
    {
        var loader = new FakeModelLoader(new FakeModelOptions());
        var logger = new ListLogger();
        ServiceCollection services = Services(loader, s =>
        {
            s.AddSingleton<ILoggerFactory>(logger);
            s.AddRocmInference(o => o.ModelPath = "m").AddAttentionBackend<OwnBackend>(5).AddAttentionBackend(new OwnBackend());
        });
        await using ServiceProvider provider = services.BuildServiceProvider();
        var session = provider.GetRequiredService<InferenceSession>();
        await session.CompleteAsync("a secret prompt", Short);
        Assert.Equal([5, 1], loader.Services!.AttentionBackends.Select(backend => backend.Priority));
        Assert.Same(provider.GetRequiredService<OwnBackend>(), loader.Services.AttentionBackends[0].Backend);
        lock (logger.Lines)
        {
            Assert.Contains(logger.Lines, line => line.Contains("Loaded fake", StringComparison.Ordinal));
            Assert.DoesNotContain(logger.Lines, line => line.Contains("secret", StringComparison.Ordinal));
        }
    }

    private static ServiceCollection Services(FakeModelLoader loader, Action<IServiceCollection> add)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IModelLoader>(loader);
        add(services);
        return services;
    }

    private sealed class OwnBackend : IAttentionBackend
    {
        public string Name => "OWN";

        public AttentionKind Kind => AttentionKind.Mha;

        public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionSupport.From(["only a test"]);

        public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.Nhd);

        public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) => 0;

        public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => throw new NotSupportedException();
    }

    private sealed class ListLogger : ILoggerFactory, ILogger
    {
        public List<string> Lines { get; } = [];

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Lines) Lines.Add(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}
