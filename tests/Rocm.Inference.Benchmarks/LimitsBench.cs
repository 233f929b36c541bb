using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>The two floors under every kernel: reading memory once, and fused multiply-adds from registers. Plain threads, no product code.</summary>
internal static unsafe class LimitsBench
{
    private const long ReadBytes = 512L << 20;

    public static void Run(BenchOptions options)
    {
        Console.WriteLine($"{options.Threads} threads: read {ReadGigabytes(options):F1} GB/s, FMA {FmaGigaflops(options):F0} GFLOP/s");
    }

    /// <summary>GB/s of reading 512 MiB on large pages, one sequential stream a thread: median.</summary>
    public static double ReadGigabytes(BenchOptions options)
    {
        using IDevice device = options.CreateDevice();
        using DeviceBuffer buffer = device.Allocate(ReadBytes);
        new Span<byte>((void*)buffer.Address, (int)ReadBytes).Fill(1);
        nint address = buffer.Address;
        long part = ReadBytes / options.Threads / 256 * 256;
        (double median, _) = options.Time(() => OnThreads(options.Threads, t => Read((byte*)address + (t * part), part)));
        return part * options.Threads * 1e-9 / median;
    }

    /// <summary>GFLOP/s of the widest accelerated vector: best.</summary>
    public static double FmaGigaflops(BenchOptions options)
    {
        (_, double best) = options.Time(() => MultiplyOnce(options));
        return MultiplyOnce(options) / best;
    }

    /// <summary>Some milliseconds of multiply-adds on all threads; returns how many GFLOP that was.</summary>
    public static double MultiplyOnce(BenchOptions options)
    {
        const int Loops = 4_000_000;
        bool wide = Vector512.IsHardwareAccelerated;
        OnThreads(options.Threads, _ => Multiply(wide, Loops));
        return options.Threads * (double)Loops * 12 * 2 * (wide ? 16 : 8) * 1e-9;
    }

    public static void OnThreads(int count, Func<int, float> body)
    {
        Thread[] threads = [.. Enumerable.Range(1, count - 1).Select(t => new Thread(() => body(t)))];
        foreach (Thread thread in threads) thread.Start();
        body(0);
        foreach (Thread thread in threads) thread.Join();
    }

    /// <summary>Reads whole cache lines in the order of their addresses.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Read(byte* data, long bytes)
    {
        Vector256<ulong> a = default, b = default, c = default, d = default;
        for (long i = 0; i < bytes; i += 128)
        {
            a |= Vector256.Load((ulong*)(data + i));
            b |= Vector256.Load((ulong*)(data + i + 32));
            c |= Vector256.Load((ulong*)(data + i + 64));
            d |= Vector256.Load((ulong*)(data + i + 96));
        }

        return Vector256.Sum(a | b | c | d);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Multiply(bool wide, int loops)
    {
        if (!wide) return Multiply256(loops);
        Vector512<float> x = Vector512.Create(0.999f);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < loops; n++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, x);
            b = Vector512.FusedMultiplyAdd(b, x, x);
            c = Vector512.FusedMultiplyAdd(c, x, x);
            d = Vector512.FusedMultiplyAdd(d, x, x);
            e = Vector512.FusedMultiplyAdd(e, x, x);
            f = Vector512.FusedMultiplyAdd(f, x, x);
            g = Vector512.FusedMultiplyAdd(g, x, x);
            h = Vector512.FusedMultiplyAdd(h, x, x);
            i = Vector512.FusedMultiplyAdd(i, x, x);
            j = Vector512.FusedMultiplyAdd(j, x, x);
            k = Vector512.FusedMultiplyAdd(k, x, x);
            l = Vector512.FusedMultiplyAdd(l, x, x);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Multiply256(int loops)
    {
        Vector256<float> x = Vector256.Create(0.999f);
        Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < loops; n++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, x);
            b = Vector256.FusedMultiplyAdd(b, x, x);
            c = Vector256.FusedMultiplyAdd(c, x, x);
            d = Vector256.FusedMultiplyAdd(d, x, x);
            e = Vector256.FusedMultiplyAdd(e, x, x);
            f = Vector256.FusedMultiplyAdd(f, x, x);
            g = Vector256.FusedMultiplyAdd(g, x, x);
            h = Vector256.FusedMultiplyAdd(h, x, x);
            i = Vector256.FusedMultiplyAdd(i, x, x);
            j = Vector256.FusedMultiplyAdd(j, x, x);
            k = Vector256.FusedMultiplyAdd(k, x, x);
            l = Vector256.FusedMultiplyAdd(l, x, x);
        }

        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
