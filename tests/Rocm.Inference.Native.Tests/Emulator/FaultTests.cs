namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>Faults that a kernel can have are found and named.</summary>
[Collection(GfxEmulator.Collection)]
public sealed class FaultTests(GfxEmulator device)
{
    private const int IllegalAddress = 700, LaunchTimeOut = 702, LaunchFailure = 719;

    public static TheoryData<string> Targets => ["gfx942", "gfx1100"];

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_store_behind_an_allocation_is_a_fault_that_names_lane_and_instruction(string arch)
    {
        using EmulatedModule module = Load(arch);
        nint cells = module.Output<uint>(64);
        Assert.Equal(0, Try(module, "write_past", cells, 0u));
        Assert.Equal(IllegalAddress, Try(module, "write_past", cells, 1u));
        string fault = device.LastFault();
        Assert.Contains("kernel write_past, workgroup (0, 0, 0), wave", fault, StringComparison.Ordinal);
        Assert.Contains("global_store_", fault, StringComparison.Ordinal);
        Assert.Contains($"lane {(arch == "gfx942" ? 63 : 31)} writes 4 bytes", fault, StringComparison.Ordinal);
        Assert.Contains("0 bytes behind the end of an allocation of 256 bytes", fault, StringComparison.Ordinal);

        // Like a real device, it answers nothing but the fault from then on.
        Assert.Equal(IllegalAddress, Try(module, "write_past", cells, 0u));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_load_outside_of_memory_or_LDS_is_a_fault(string arch)
    {
        using EmulatedModule module = Load(arch);
        nint from = module.Upload<uint>(new uint[64]), to = module.Output<uint>(64);
        Assert.Equal(0, Try(module, "read_past", from, to, 0u));
        Assert.Equal(IllegalAddress, Try(module, "read_past", from, to, 1000u));
        Assert.Contains("reads 4 bytes", device.LastFault(), StringComparison.Ordinal);

        device.Set("reset", "1");
        Assert.Equal(0, Try(module, "lds_past", to, 0u));
        Assert.Equal(IllegalAddress, Try(module, "lds_past", to, 1u));
        Assert.Contains("of LDS at 256, of 256 bytes", device.LastFault(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Freed_memory_cannot_be_reached(string arch)
    {
        using EmulatedModule module = Load(arch);
        nint to = module.Output<uint>(64), gone;
        using (EmulatedModule other = new(device, device.Compile("faults", arch))) gone = other.Output<uint>(64);
        Assert.Equal(IllegalAddress, Try(module, "read_past", gone, to, 0u));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_register_that_nothing_set_holds_NaN_when_poisoned(string arch)
    {
        using EmulatedModule module = Load(arch);
        nint to = module.Output<float>(64);
        Assert.Equal(0, Try(module, "read_poison", to));
        Assert.All(module.Download<float>(to, 64), x => Assert.True(float.IsNaN(x)));
        device.Set("poison", "0");
        Assert.Equal(0, Try(module, "read_poison", to));
        Assert.All(module.Download<float>(to, 64), x => Assert.Equal(0, x));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_missing_barrier_is_found_when_races_are_looked_for(string arch)
    {
        using EmulatedModule module = Load(arch);
        device.Set("races", "1");
        nint from = module.Upload<uint>(new uint[128]), to = module.Output<uint>(128);
        Assert.Equal(LaunchFailure, module.TryLaunch("no_barrier", new(1, 1, 1), new(128, 1, 1), 0, from, to));
        Assert.Contains("since the last barrier", device.LastFault(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Traps_and_endless_loops_end_the_launch(string arch)
    {
        using EmulatedModule module = Load(arch);
        Assert.Equal(LaunchFailure, Try(module, "trapped"));
        Assert.Contains("s_trap", device.LastFault(), StringComparison.Ordinal);

        device.Set("reset", "1");
        device.Set("budget", "3000000");
        Assert.Equal(LaunchTimeOut, Try(module, "endless", module.Upload<uint>(0)));
    }

    private EmulatedModule Load(string arch)
    {
        device.Reset(arch);
        return new EmulatedModule(device, device.Compile("faults", arch));
    }

    private static int Try(EmulatedModule module, string kernel, params ReadOnlySpan<object> arguments) =>
        module.TryLaunch(kernel, new(1, 1, 1), new(64, 1, 1), 0, arguments);
}
