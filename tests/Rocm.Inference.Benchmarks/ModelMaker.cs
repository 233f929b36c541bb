using Benchmark;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks;

/// <summary>Writes a folder with random weights from a seed: the shape of a model without its download, by the code and the configs of the Benchmark sample.</summary>
internal static class ModelMaker
{
    public static void Run(CommandArguments arguments)
    {
        string folder = arguments.Operand("a folder to write");
        string config = arguments.Text("--config") ?? ConfigOf(arguments.Text("--shape") ?? "15m");
        string type = arguments.Text("--dtype") ?? "bf16";
        if (type is not ("bf16" or "f32")) throw new ArgumentException($"Expected --dtype bf16 or f32, found '{type}'.");
        var model = new RandomModel(config, type == "bf16" ? DType.BF16 : DType.F32, (ulong)arguments.Number("--seed", 1));
        long bytes = model.WriteTo(folder, _ => { }, CancellationToken.None);
        Console.WriteLine($"{folder}: {bytes / 1e6:F1} MB of weights");
    }

    private static string ConfigOf(string shape)
    {
        string name = shape switch
        {
            "15m" => "llama-15m",
            "1.1b" => "llama-1b",
            _ => throw new ArgumentException($"Expected --shape 15m or 1.1b, found '{shape}'."),
        };
        return Path.Combine(RepositoryPaths.Root, "samples", "Benchmark", "configs", $"{name}.json");
    }
}
