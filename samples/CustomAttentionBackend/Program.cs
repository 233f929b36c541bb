using CustomAttentionBackend;
using Microsoft.Extensions.DependencyInjection;
using Rocm.Inference;

if (args is ["--help"] || args.Length > 2)
{
    Console.WriteLine("""
        Runs a model with an attention backend of this program's own, which records where the attention lies.

        Usage: CustomAttentionBackend [MODEL_FOLDER [PROMPT]]
        """);
    return args.Length > 2 ? 2 : 0;
}

string model = args.ElementAtOrDefault(0) ?? Path.Combine(AppContext.BaseDirectory, "models", "tiny-llama");
string prompt = args.ElementAtOrDefault(1) ?? "Gets or sets the";

// The backend is registered like any service. Its priority puts it in front of the library's own: it runs where it can, else one of those.
var services = new ServiceCollection();
services.AddSingleton<AttentionStatistics>();
services.AddRocmInference(options => options.ModelPath = model).AddAttentionBackend<StatisticsBackend>(priority: 10);
await using ServiceProvider provider = services.BuildServiceProvider();

try
{
    InferenceSession session = provider.GetRequiredService<InferenceSession>();
    await session.WhenReadyAsync();
    Console.WriteLine($"attention  {session.Attention.Name}: {session.Attention.Reason}");
    foreach (AttentionPhase phase in session.Attention.Phases) Console.WriteLine($"           {phase.Name}: {phase.Primitives}");
    foreach (RefusedAttentionBackend refused in session.Attention.Refused)
        Console.WriteLine($"           not {refused.Name}: {string.Join(", ", refused.Reasons)}");

    GenerationResult result = await session.CompleteAsync(prompt, new GenerationOptions { MaxNewTokens = 48 });
    Console.WriteLine($"\n{prompt}{result.Text}\n");

    Console.WriteLine("layer   entropy (bits)   tokens back   on the first   on itself");
    foreach (LayerStatistics layer in provider.GetRequiredService<AttentionStatistics>().Layers)
        Console.WriteLine($"{layer.Layer,5} {layer.EntropyBits,16:0.00} {layer.Distance,13:0.0} {layer.OnFirst,14:P0} {layer.OnSelf,11:P0}");
    return 0;
}
catch (RocmInferenceException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}
