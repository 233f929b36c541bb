using System.Diagnostics;
using System.Globalization;
using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;

namespace Rocm.Inference.Benchmarks;

/// <summary>Command-line options of the benchmarks, and how a figure is taken.</summary>
internal sealed record BenchOptions(int Threads, int Repetitions, int VectorBits)
{
    public const string Help = """
        Usage: Rocm.Inference.Benchmarks COMMAND [--threads N] [--reps N] [--bits 128|256|512]
          limits     read bandwidth and FMA peak of this machine
          linear     y = x · Wᵀ in bf16 weights, M = 1 … 512
          scaled     the same with bf16, fp8 and MXFP4 weights
          experts    a mixture of experts (2048, 768, 8 of 128), 1 to 512 tokens, in the same weights
          attention  decode and prefill over a paged bf16 cache
          roofline   decode of 8 rows on 8192 keys in turns with its floors, and without misses
          flash      causal prefill over contiguous rows, by both implementations
          mla        absorbed latent decode over a bf16 cache
          backends   the attention backends beside each other: decode, verify, extend, prefill of one layer
          plans      host work before a step of 256 rows, in each backend
          ops        norms, activations, rotation, packing
          kernels    linear, attention and ops
          shape      every kernel of a Llama 1.1B-shaped model with random bf16 weights: decode of 1, 4, 16 streams and prefill of 512
          make-model OUT --shape 15m|1.1b | --config FILE [--dtype bf16|f32] [--seed N]   writes a model folder with random weights
          session MODEL [--threads N] [--prompt 512] [--generate 128] [--streams 1,4,16,32] [--repeat N]   a session on a model folder
          hip-host [--library FILE] [--code FILE --kernel NAME]   host cost of kernel launches, into a library that does nothing
          kernel-report [--all] [--aiter PATH] [--output FILE]   registers, spills and inner loops of the compiled GPU kernels, and counts from the emulator
          tokenizer MODEL [--text FILE] [--repeat N]   encoding and decoding of English text
        """;

    public static BenchOptions Parse(string[] args)
    {
        int Option(string name, int otherwise)
        {
            int at = Array.IndexOf(args, name);
            return at < 0 || at + 1 >= args.Length ? otherwise : int.Parse(args[at + 1], CultureInfo.InvariantCulture);
        }

        return new BenchOptions(Option("--threads", Environment.ProcessorCount), Option("--reps", 9), Option("--bits", 0));
    }

    public IDevice CreateDevice() => new CpuDevice(new CpuDeviceOptions { NumThreads = Threads, VectorBits = VectorBits });

    /// <summary>Median and best seconds of one call, each repetition long enough to time.</summary>
    public (double Median, double Best) Time(Action action, double minimumSeconds = 0.02)
    {
        action();
        long start = Stopwatch.GetTimestamp();
        action();
        double once = Stopwatch.GetElapsedTime(start).TotalSeconds;
        int inner = Math.Max(1, (int)(minimumSeconds / Math.Max(once, 1e-7)));
        var seconds = new double[Repetitions];
        for (int r = 0; r < Repetitions; r++)
        {
            start = Stopwatch.GetTimestamp();
            for (int i = 0; i < inner; i++) action();
            seconds[r] = Stopwatch.GetElapsedTime(start).TotalSeconds / inner;
        }

        Array.Sort(seconds);
        return (seconds[Repetitions / 2], seconds[0]);
    }

    public static void Print(string name, (double Median, double Best) time, double work, string unit, double floor)
    {
        double median = work / time.Median, best = work / time.Best;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-44} {median,9:F1} {unit} (best {best:F1}), {median / floor:P0} of the limit (best {best / floor:P0}), {time.Median * 1e3:F3} ms"));
    }
}
