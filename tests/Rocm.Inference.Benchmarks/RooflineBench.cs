using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>
/// Decode of 8 rows on 8192 keys (32 query heads on 4 KV heads of 128, bf16) in turns of some milliseconds with everything that bounds it: multiply-adds from
/// registers, one stream of reads a thread, reads of the same blocks in the same order as decode. And decode whose keys stay in a cache, which is what the
/// arithmetic alone takes. Shares are those of a round; rounds in which other processes were busy are left out.
/// </summary>
internal static unsafe class RooflineBench
{
    private const int Rows = 8, Keys = 8192, Heads = 32, KvHeads = 4, Dim = 128;
    private const int BlockBytes = 16 * KvHeads * Dim * sizeof(ushort);
    private const int NumBlocks = Rows * Keys / 16;
    private const int Turns = 2;
    private const double MaxOthers = 0.08;
    private const double Gigabytes = 2.0 * NumBlocks * BlockBytes * 1e-9;
    private const double Gigaflops = (double)Rows * Keys * Heads * Dim * 4 * 1e-9;

    public static void Run(BenchOptions options)
    {
        using IDevice device = options.CreateDevice();
        using DeviceBuffer keys = Filled(device), values = Filled(device);
        int[] order = [.. Enumerable.Range(0, NumBlocks)];
        new Random(2).Shuffle(order);
        foreach ((string name, KvLayoutKind layout, bool isDecode, KvSplit split) in AttentionBench.Readers)
        {
            var shape = new AttentionShape(Heads, KvHeads, Dim, Rows, 1, Keys) { Layout = layout, IsPagedDecode = isDecode, Split = split };
            using var anywhere = new AttentionStep(device, shape);
            using var inOrder = new AttentionStep(device, shape with { InOrder = true });
            using var cached = new AttentionStep(device, shape with { SharedBlocks = 6 });
            Action[] turns =
            [
                () => LimitsBench.MultiplyOnce(options),
                () => LimitsBench.OnThreads(options.Threads, t => Stream(options, keys, t) + Stream(options, values, t)),
                () => LimitsBench.OnThreads(options.Threads, t => Blocks(options, keys, values, order, t)),
                anywhere.Run, inOrder.Run, cached.Run,
            ];
            foreach (Action turn in turns) turn();
            Print(name, options, turns);
        }
    }

    private static void Print(string name, BenchOptions options, Action[] turns)
    {
        double flops = LimitsBench.MultiplyOnce(options);
        List<double[]> rounds = [];
        for (int i = 0; i < options.Repetitions; i++)
        {
            var seconds = new double[turns.Length];
            (double busy, double own) = Processors();
            long start = Stopwatch.GetTimestamp();
            for (int turn = 0; turn < Turns; turn++)
            {
                for (int k = 0; k < turns.Length; k++)
                {
                    long from = Stopwatch.GetTimestamp();
                    turns[k]();
                    seconds[k] += Stopwatch.GetElapsedTime(from).TotalSeconds / Turns;
                }
            }

            (double busyAfter, double ownAfter) = Processors();
            if (busyAfter - busy - (ownAfter - own) <= MaxOthers * Stopwatch.GetElapsedTime(start).TotalSeconds) rounds.Add(seconds);
        }

        if (rounds.Count == 0)
        {
            Console.WriteLine($"{name}: other processes were busy in all {options.Repetitions} rounds");
            return;
        }

        string Of(Func<double[], double> figure)
        {
            double[] sorted = [.. rounds.Select(figure).Order()];
            return string.Create(CultureInfo.InvariantCulture, $"{sorted[sorted.Length / 2]:F2} ({sorted[sorted.Length / 10]:F2} to {sorted[sorted.Length * 9 / 10]:F2})");
        }

        Console.WriteLine($"{name}, {options.Threads} threads, {rounds.Count} of {options.Repetitions} rounds; medians (10th to 90th percentile):");
        Console.WriteLine($"  limits: FMA {Of(s => flops / s[0])} GFLOP/s, a stream a thread {Of(s => Gigabytes / s[1])} GB/s, blocks anywhere {Of(s => Gigabytes / s[2])} GB/s");
        string[] steps = ["blocks anywhere", "blocks in order", "blocks in a cache"];
        for (int i = 0; i < steps.Length; i++)
        {
            int k = i + 3;
            Console.WriteLine(
                $"  {steps[i],-18} {Of(s => s[k] * 1e3)} ms: {Of(s => Gigaflops / s[k] / (flops / s[0]))} of the FMA peak, "
                + $"{Of(s => s[1] / s[k])} of a stream, {Of(s => s[2] / s[k])} of blocks anywhere");
        }
    }

    private static DeviceBuffer Filled(IDevice device)
    {
        DeviceBuffer buffer = device.Allocate((long)NumBlocks * BlockBytes);
        new Span<byte>((void*)buffer.Address, (int)buffer.SizeBytes).Fill(1);
        return buffer;
    }

    private static float Stream(BenchOptions options, DeviceBuffer buffer, int thread)
    {
        long part = buffer.SizeBytes / options.Threads / 256 * 256;
        return LimitsBench.Read((byte*)buffer.Address + (thread * part), part);
    }

    /// <summary>
    /// A block of keys, the same block of values, and the next, as fast as was found: pages are touched two blocks before, lines asked for 4 KiB ahead.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Blocks(BenchOptions options, DeviceBuffer keys, DeviceBuffer values, int[] order, int thread)
    {
        const int Ahead = 2, PageBytes = 4096;
        float any = 0;
        byte* k = (byte*)keys.Address, v = (byte*)values.Address;
        for (int i = NumBlocks / options.Threads * thread, end = i + (NumBlocks / options.Threads); i < end; i++)
        {
            nint at = (nint)order[i] * BlockBytes, next = (nint)order[Math.Min(i + 1, end - 1)] * BlockBytes, touched = (nint)order[Math.Min(i + Ahead, end - 1)] * BlockBytes;
            for (nint page = touched; page < touched + BlockBytes && Sse.IsSupported; page += PageBytes)
            {
                Sse.Prefetch1(k + page);
                Sse.Prefetch1(v + page);
            }

            any += Block(k + at, v + at) + Block(v + at, k + next);
        }

        return any;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Block(byte* data, byte* next)
    {
        const int Ahead = 4096, Line = 64;
        Vector512<ulong> a = default, b = default, c = default, d = default;
        for (int i = 0; i < BlockBytes; i += 4 * Line)
        {
            byte* asked = i + Ahead < BlockBytes ? data + i + Ahead : next + (i + Ahead - BlockBytes);
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(asked);
                Sse.Prefetch0(asked + Line);
                Sse.Prefetch0(asked + (2 * Line));
                Sse.Prefetch0(asked + (3 * Line));
            }

            a |= Vector512.Load((ulong*)(data + i));
            b |= Vector512.Load((ulong*)(data + i + Line));
            c |= Vector512.Load((ulong*)(data + i + (2 * Line)));
            d |= Vector512.Load((ulong*)(data + i + (3 * Line)));
        }

        return Vector512.Sum(a | b | c | d);
    }

    /// <summary>Seconds that processors were busy so far, or taken by the host; and those of this process. Equal where the system does not say.</summary>
    private static (double Busy, double Own) Processors()
    {
        double own = Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds;
        if (!OperatingSystem.IsLinux()) return (own, own);
        const double TicksPerSecond = 100;
        long[] ticks = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(long.Parse)];
        return ((ticks.Sum() - ticks[3] - ticks[4]) / TicksPerSecond, own);
    }
}
