using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Rocm.Inference.Tests.Architecture;

/// <summary>The README's code, compiled. Never run: the model folders are made up.</summary>
internal static class ReadmeSnippets
{
    public static async Task ConsoleAsync()
    {
        // snippet: console
        await using var session = await InferenceSession.LoadAsync("/models/Qwen3-0.6B");
        await foreach (GenerationUpdate update in session.GenerateAsync("The capital of France is"))
            Console.Write(update.Text);
        // end of snippet
    }

    public static async Task OptionsAsync()
    {
        // snippet: options
        var options = new InferenceSessionOptions { Device = DevicePreference.Cpu, MaxModelLen = 8192, NumThreads = 8 };
        await using var session = await InferenceSession.LoadAsync("/models/Qwen3-0.6B", options);
        GenerationResult result = await session.CompleteAsync(
            "Q: What is 7 times 6?\nA:",
            new GenerationOptions { MaxNewTokens = 64, Temperature = 0.7f, TopP = 0.9f, Seed = 1, StopStrings = ["\n"] });
        Console.WriteLine($"{result.Text} ({result.FinishReason}, {result.Timings.GeneratedTokensPerSecond:0.0} tokens/s)");
        // end of snippet
    }

    public static void Host(IServiceCollection services, IConfiguration configuration)
    {
        // snippet: host
        services.AddRocmInference(configuration.GetSection("Inference"));
        // later, from any service: InferenceSession session
        // end of snippet
    }
}
