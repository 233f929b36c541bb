using System.Globalization;
using Rocm.Inference;

namespace QuickStart;

/// <summary>What the command line asked for.</summary>
internal sealed record Arguments
{
    public const string HelpText = """
        Completes a prompt with a Hugging Face model folder.

        Usage: QuickStart [MODEL_FOLDER] [options]

          MODEL_FOLDER          folder with config.json, tokenizer.json and safetensors files
                                (default: the tiny model that comes with the sample)
          --prompt TEXT         text to complete            (default: "Gets or sets the")
          --max-tokens N        most tokens to generate     (default: 64)
          --temperature T       0 = most likely token       (default: 0)
          --seed N              seed of the draws           (default: another one each time)
          --device NAME         auto, cpu or hip            (default: auto)
          --backend NAME        attention backend           (default: the best one that fits)
          --threads N           threads of the CPU device   (default: all processors)
          --info                only tell what this machine offers, and with a MODEL_FOLDER what would run it
          --help                this text
        """;

    public string ModelPath { get; private set; } = Path.Combine(AppContext.BaseDirectory, "models", "tiny-llama");

    public string Prompt { get; private set; } = "Gets or sets the";

    public int MaxNewTokens { get; private set; } = 64;

    public float Temperature { get; private set; }

    public long? Seed { get; private set; }

    public DevicePreference? Device { get; private set; }

    public string? AttentionBackend { get; private set; }

    public int? Threads { get; private set; }

    public bool Info { get; private set; }

    /// <summary>A model folder was named.</summary>
    public bool HasModel { get; private set; }

    public bool Help { get; private set; }

    public static bool TryParse(string[] args, out Arguments arguments, out string problem)
    {
        arguments = new Arguments();
        problem = string.Empty;
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            if (!name.StartsWith("--", StringComparison.Ordinal))
            {
                if (arguments.HasModel) problem = $"Unexpected argument '{name}': there is one model folder only.";
                arguments.ModelPath = name;
                arguments.HasModel = true;
            }
            else if (name == "--help")
            {
                arguments.Help = true;
            }
            else if (name == "--info")
            {
                arguments.Info = true;
            }
            else if (i + 1 == args.Length)
            {
                problem = $"Option {name} needs a value, or is unknown.";
            }
            else if (!arguments.TrySet(name, args[++i]))
            {
                problem = $"Option {name} is unknown, or '{args[i]}' is not a value for it.";
            }

            if (problem.Length > 0) return false;
        }

        return true;
    }

    private bool TrySet(string name, string value)
    {
        switch (name)
        {
            case "--prompt":
                Prompt = value;
                return true;
            case "--backend":
                AttentionBackend = value;
                return true;
            case "--max-tokens" when int.TryParse(value, CultureInfo.InvariantCulture, out int tokens):
                MaxNewTokens = tokens;
                return true;
            case "--threads" when int.TryParse(value, CultureInfo.InvariantCulture, out int threads):
                Threads = threads;
                return true;
            case "--temperature" when float.TryParse(value, CultureInfo.InvariantCulture, out float temperature):
                Temperature = temperature;
                return true;
            case "--seed" when long.TryParse(value, CultureInfo.InvariantCulture, out long seed):
                Seed = seed;
                return true;
            case "--device" when Enum.TryParse(value, ignoreCase: true, out DevicePreference device) && Enum.IsDefined(device):
                Device = device;
                return true;
            default:
                return false;
        }
    }
}
