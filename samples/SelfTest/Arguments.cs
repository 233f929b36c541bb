using System.Globalization;
using Rocm.Inference;

namespace SelfTest;

/// <summary>What the command line asked for.</summary>
internal sealed record Arguments
{
    public const string HelpText = """
        Runs every kernel of a device on random operands and compares with a naive implementation in double precision.

        Usage: SelfTest [options]

          --device NAME        auto, cpu or hip                                          (default: auto)
          --device-index N     which GPU, as HIP counts them                (default: the largest one)
          --threads N          threads of the CPU device                    (default: all processors)
          --size small|full    small: every path in seconds; full: layers of real models, so that
                               times mean something, with up to 2 GiB of memory         (default: small)
          --kernels NAME,...   only these kernels                                      (default: all)
          --seed N             seed of the operands                                    (default: 1)
          --json FILE          write all results there
          --help               this text

        Ends with 0 when nothing is wrong, 1 when a kernel is, 2 when it could not run. A kernel that the device
        does not have is told and is no failure: a session refuses what needs it.
        """;

    public DevicePreference? Device { get; private set; }

    public int? DeviceIndex { get; private set; }

    public int? Threads { get; private set; }

    public SelfTestSize Size { get; private set; }

    /// <summary>Null: all.</summary>
    public IReadOnlyCollection<string>? Kernels { get; private set; }

    public int Seed { get; private set; } = 1;

    public string? JsonFile { get; private set; }

    public bool Help { get; private set; }

    public static bool TryParse(string[] args, out Arguments arguments, out string problem)
    {
        arguments = new Arguments();
        problem = string.Empty;
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            if (name == "--help") arguments.Help = true;
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
            case "--json": JsonFile = value; return true;
            case "--kernels": Kernels = value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries); return true;
            case "--device" when Enum.TryParse(value, ignoreCase: true, out DevicePreference device) && Enum.IsDefined(device):
                Device = device;
                return true;
            case "--size" when Enum.TryParse(value, ignoreCase: true, out SelfTestSize size) && Enum.IsDefined(size):
                Size = size;
                return true;
            default:
                return int.TryParse(value, CultureInfo.InvariantCulture, out int number) && number >= 0 && TrySet(name, number);
        }
    }

    private bool TrySet(string name, int value)
    {
        switch (name)
        {
            case "--device-index": DeviceIndex = value; return true;
            case "--threads": Threads = value; return true;
            case "--seed": Seed = value; return true;
            default: return false;
        }
    }
}
