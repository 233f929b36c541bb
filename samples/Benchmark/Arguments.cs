using System.Globalization;
using Rocm.Inference;

namespace Benchmark;

/// <summary>What the command line asked for.</summary>
internal sealed record Arguments
{
    public const string HelpText = """
        Compares attention backends: the same requests through each of them, in alternating rounds.

        Usage: Benchmark [--model FOLDER | --config FILE] [options]

        The model
          --model FOLDER            a Hugging Face model folder
          --config FILE             a config.json: random weights of its shape, no download; or the name of one that
                                    comes with this program:                       (default: qwen3-moe-gqa8)
                                      qwen3-moe-gqa8   experts, 8 query heads on 1 KV head of 128
                                      deepseek-mla16   experts, latent attention of 512 + 64 with 16 heads
                                      llama-1b         22 dense layers, 1.1 billion parameters
                                      llama-15m        6 dense layers, 15 million parameters
          --dtype TYPE              type of the random weights: bf16, f16 or f32         (default: bf16)
          --save FOLDER             keep the random model there, for --model             (default: it is deleted)

        The load
          --input-len N             tokens of a prompt                                   (default: 1024)
          --output-len N            tokens to generate                                   (default: 64)
          --concurrency N[,N...]    requests at a time; each is measured                 (default: 8)
          --requests N              requests of a measurement     (default: one for each of the concurrent)
          --rounds N                measurements of each backend; the median counts      (default: 3)
          --seed N                  seed of prompts and random weights                   (default: 1)

        The engine
          --backends all|NAME,...   attention backends                                   (default: all)
          --device NAME             auto, cpu or hip                                     (default: auto)
          --threads N               threads of the CPU device                (default: all processors)
          --max-tokens-per-step N   tokens computed in one step, over all requests       (default: 2048)
          --block-size N            tokens in a block of the KV cache    (default: the backend's choice)
          --kv-cache-dtype TYPE     auto, bf16, f16 or f32                               (default: auto)

        The answer
          --json FILE               results with every round
          --chart FILE              bar charts, as .svg or .png
          --info                    only tell what this machine offers, the model and the backends, with the reasons against each
          --help                    this text
        """;

    public string? ModelFolder { get; private set; }

    public string Config { get; private set; } = "qwen3-moe-gqa8";

    public DType WeightType { get; private set; } = DType.BF16;

    public string? SaveFolder { get; private set; }

    public int InputLength { get; private set; } = 1024;

    public int OutputLength { get; private set; } = 64;

    public IReadOnlyList<int> Concurrencies { get; private set; } = [8];

    /// <summary>Null: as many as run at a time.</summary>
    public int? NumRequests { get; private set; }

    public int NumRounds { get; private set; } = 3;

    public int Seed { get; private set; } = 1;

    /// <summary>Null: all.</summary>
    public IReadOnlyList<string>? Backends { get; private set; }

    public DevicePreference? Device { get; private set; }

    public int? Threads { get; private set; }

    public int? MaxTokensPerStep { get; private set; }

    public int? BlockSize { get; private set; }

    public KvCacheDType KvCacheType { get; private set; }

    public string? JsonFile { get; private set; }

    public string? ChartFile { get; private set; }

    public bool Info { get; private set; }

    public bool Help { get; private set; }

    public static bool TryParse(string[] args, out Arguments arguments, out string problem)
    {
        arguments = new Arguments();
        problem = string.Empty;
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            if (name == "--help") arguments.Help = true;
            else if (name == "--info") arguments.Info = true;
            else if (!name.StartsWith("--", StringComparison.Ordinal)) problem = $"Unexpected argument '{name}'.";
            else if (i + 1 == args.Length) problem = $"Option {name} needs a value, or is unknown.";
            else if (!arguments.TrySet(name, args[++i])) problem = $"Option {name} is unknown, or '{args[i]}' is not a value for it.";
            if (problem.Length > 0) return false;
        }

        return true;
    }

    private bool TrySet(string name, string value)
    {
        switch (name)
        {
            case "--model": ModelFolder = value; return true;
            case "--config": Config = value; return true;
            case "--save": SaveFolder = value; return true;
            case "--json": JsonFile = value; return true;
            case "--chart" when Path.GetExtension(value).ToLowerInvariant() is ".svg" or ".png": ChartFile = value; return true;
            case "--backends":
                Backends = value.Equals("all", StringComparison.OrdinalIgnoreCase) ? null : value.Split(',', StringSplitOptions.TrimEntries);
                return true;
            case "--concurrency":
                Concurrencies = [.. value.Split(',').Select(part => int.TryParse(part, CultureInfo.InvariantCulture, out int number) ? number : 0).Distinct()];
                return Concurrencies.All(number => number > 0);
            case "--dtype" when Enum.TryParse(value, ignoreCase: true, out DType type) && type is DType.BF16 or DType.F16 or DType.F32:
                WeightType = type;
                return true;
            case "--device" when Enum.TryParse(value, ignoreCase: true, out DevicePreference device) && Enum.IsDefined(device):
                Device = device;
                return true;
            case "--kv-cache-dtype" when Enum.TryParse(value, ignoreCase: true, out KvCacheDType type) && Enum.IsDefined(type):
                KvCacheType = type;
                return true;
            default:
                return int.TryParse(value, CultureInfo.InvariantCulture, out int count) && count > 0 && TrySet(name, count);
        }
    }

    private bool TrySet(string name, int value)
    {
        switch (name)
        {
            case "--input-len": InputLength = value; return true;
            case "--output-len": OutputLength = value; return true;
            case "--requests": NumRequests = value; return true;
            case "--rounds": NumRounds = value; return true;
            case "--seed": Seed = value; return true;
            case "--threads": Threads = value; return true;
            case "--max-tokens-per-step": MaxTokensPerStep = value; return true;
            case "--block-size": BlockSize = value; return true;
            default: return false;
        }
    }
}
