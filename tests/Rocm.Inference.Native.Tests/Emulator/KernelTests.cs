namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>Grids, LDS, barriers, lanes, atomics, control flow and scratch: machine code on the emulated device against the host.</summary>
[Collection(GfxEmulator.Collection)]
public sealed class KernelTests(GfxEmulator device)
{
    public static TheoryData<string> Targets => ["gfx942", "gfx1100"];

    public static TheoryData<string, int> TargetsAndVersions => new() { { "gfx942", 4 }, { "gfx942", 5 }, { "gfx1100", 4 }, { "gfx1100", 5 } };

    [Theory]
    [MemberData(nameof(TargetsAndVersions))]
    public void A_grid_knows_its_sizes_from_the_packet_or_from_hidden_arguments(string arch, int version)
    {
        using EmulatedModule module = Load("basic", arch, version);
        float[] a = Floats(1000, 1), b = Floats(1000, 2);
        nint c = module.Output<float>(1000);
        module.Launch("add", 8, 128, module.Upload<float>(a), module.Upload<float>(b), c, 1000u);
        Assert.Equal(a.Zip(b, (x, y) => x + y), module.Download<float>(c, 1000));

        nint where = module.Output<uint>(6 * 6 * 6);
        Assert.Equal(0, module.TryLaunch("where", new(2, 3, 6), new(3, 2, 1), 0, where));
        uint[] seen = module.Download<uint>(where, 6 * 6 * 6);
        Assert.All(seen.Index(), cell => Assert.Equal((uint)((cell.Index % 6) | (cell.Index / 6 % 6 << 8) | (cell.Index / 36 << 16) | (3 << 24)), cell.Item));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Barriers_and_LDS_transpose_tiles_and_sum_rows(string arch)
    {
        using EmulatedModule module = Load("basic", arch);
        device.Set("races", "1");
        uint[] cells = [.. Enumerable.Range(0, 1024).Select(i => (uint)i * 2654435761u)];
        nint transposed = module.Output<uint>(1024), sums = module.Output<float>(4);
        module.Launch("transpose", 4, 256, module.Upload<uint>(cells), transposed);
        Assert.Equal(Enumerable.Range(0, 1024).Select(i => cells[(i & ~255) | (i % 16 * 16) | (i / 16 % 16)]), module.Download<uint>(transposed, 1024));

        float[] values = Floats(1024, 3);
        module.Launch("reduce", 4, 256, module.Upload<float>(values), sums);
        float[] got = module.Download<float>(sums, 4);
        Assert.All(got.Index(), sum => Assert.Equal(values.Skip(256 * sum.Index).Take(256).Sum(x => (double)x), sum.Item, 1e-4));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Row_controls_move_values_between_lanes(string arch)
    {
        using EmulatedModule module = Load("basic", arch);
        int[] values = [.. Enumerable.Range(0, 128).Select(i => (i * 37 % 101) - 50)];
        nint result = module.Output<int>(256);
        module.Launch("dpp_sum", 2, 64, module.Upload<int>(values), result);
        int[] got = module.Download<int>(result, 256);
        int wave = arch == "gfx942" ? 64 : 32;
        for (int i = 0; i < 128; i++)
        {
            // Shifts by 8, 4, 2 and 1 add every lane before in the row; lanes without a source add 0.
            int row = i & ~15;
            Assert.Equal(Enumerable.Range(row, (i & 15) + 1).Sum(k => values[k]), got[2 * i]);
            Assert.Equal((row % wave / 16 & 1) == 0 ? values[row | (15 - (i & 15))] : -1, got[(2 * i) + 1]);
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Atomics_of_many_groups_lose_nothing(string arch)
    {
        using EmulatedModule module = Load("basic", arch);
        uint[] values = [.. Enumerable.Range(0, 512).Select(i => (uint)i * 2246822519u)];
        nint cells = module.Upload<uint>(0, 0, 0, 0, 0, 0), wide = module.Upload<ulong>(0), sum = module.Upload<float>(0), order = module.Output<uint>(512);
        module.Launch("atomics", 8, 64, module.Upload<uint>(values), cells, wide, sum, order);
        uint total = 0, mixed = 0;
        ulong squares = 0;
        foreach (uint v in values)
        {
            total += v;
            mixed ^= v;
            squares += (ulong)v * v;
        }

        Assert.Equal([512, total, values.Max(), (uint)Math.Min(0, values.Min(v => (int)v)), mixed, 1000], module.Download<uint>(cells, 6));
        Assert.Equal(squares, module.Download<ulong>(wide, 1)[0]);
        Assert.Equal(values.Sum(v => (int)(v & 15)), module.Download<float>(sum, 1)[0]);
        Assert.Equal(Enumerable.Range(0, 512).Select(i => (uint)i), module.Download<uint>(order, 512).Order());
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Lanes_that_part_ways_meet_again(string arch)
    {
        using EmulatedModule module = Load("basic", arch);
        uint[] values = [.. Enumerable.Range(0, 256).Select(i => (uint)(i * 7919 % 9973))];
        nint steps = module.Output<uint>(256);
        module.Launch("collatz", 4, 64, module.Upload<uint>(values), steps);
        Assert.Equal(values.Select(Steps), module.Download<uint>(steps, 256));

        static uint Steps(uint v)
        {
            uint n = 0;
            for (; v > 1 && n < 500; n++) v = (v & 1) != 0 ? (3 * v) + 1 : v >> 1;
            return n;
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Arrays_that_data_indexes_live_in_scratch(string arch)
    {
        using EmulatedModule module = Load("basic", arch);
        uint[] values = [.. Enumerable.Range(0, 64).Select(i => (uint)i * 2654435761u)];
        nint result = module.Output<uint>(64);
        module.Launch("scratch", 1, 64, module.Upload<uint>(values), result, 30);
        uint[] expected = new uint[64];
        for (int t = 0; t < 64; t++)
        {
            uint[] a = [.. Enumerable.Range(0, 24).Select(k => values[((t * 7) + (k * 3)) & 63])];
            for (uint k = 0; k < 30; k++) a[(a[k % 24] + k) % 24] += k;
            foreach (uint x in a) expected[t] = (expected[t] * 31) + x;
        }

        Assert.Equal(expected, module.Download<uint>(result, 64));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Counters_tell_instructions_and_the_lines_that_were_touched(string arch)
    {
        using EmulatedModule module = Load("basic", arch);
        device.Set("lines", "1");
        nint from = module.Upload<uint>([.. Enumerable.Range(0, 1024).Select(i => (uint)i)]), to = module.Output<uint>(1024);
        module.Launch("stream_copy", 4, 64, from, to);
        ulong[] counts = device.Counters();
        ulong waves = arch == "gfx942" ? 4u : 8u;
        Assert.Equal(Enumerable.Range(0, 1024).Select(i => (uint)i), module.Download<uint>(to, 1024));
        Assert.Equal([1, waves, 4, 64, 64], counts[..5]);
        Assert.Equal([waves, waves, 0ul], counts[14..17]);
    }

    private EmulatedModule Load(string file, string arch, int version = 5)
    {
        device.Reset(arch);
        return new EmulatedModule(device, device.Compile(file, arch, version));
    }

    private static float[] Floats(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
