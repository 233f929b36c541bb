using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.RocmSmi;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests.RocmSmi;

[Collection(FakeRuntimeTests.Name)]
public sealed class RocmSmiMonitorTests(FakeRuntime fake)
{
    [Fact]
    public void The_facts_are_those_of_the_device_at_that_place_on_the_bus()
    {
        var ledger = new HandleLedger();
        HipDevice device = Start();
        using (RocmSmiMonitor monitor = RocmSmiMonitor.TryOpen(ledger, out _)!)
        {
            Assert.Equal("0000:03:00", device.Info.Pci.ToString());
            Assert.Equal(
                new RocmSmiFacts(16L << 30, 5L << 30, (1_800_000_000, 2_700_000_000), (800_000_000, 1_200_000_000)), monitor.Read(device.Info.Pci!.Value));
            Assert.Null(monitor.Read(new PciAddress(0, 4, 0)));
            Assert.Equal(1, ledger.Live(HandleKind.RocmSmi));
        }

        Assert.Equal("empty", ledger.ToString());
    }

    [Fact]
    public void Calls_that_fail_cost_facts_and_nothing_else()
    {
        HipDevice device = Start();
        for (int n = 1; ; n++)
        {
            var ledger = new HandleLedger();
            long live = fake.Live, misuse = fake.Misuse;
            fake.FailCall(n, 8);
            using (RocmSmiMonitor? monitor = RocmSmiMonitor.TryOpen(ledger, out string reason))
            {
                Assert.Equal(n == 1, monitor is null);
                if (n == 1) Assert.EndsWith("cannot be initialized: initialization failed (8).", reason, StringComparison.Ordinal);
                monitor?.Read(device.Info.Pci!.Value);
            }

            string? function = fake.Failed;
            fake.FailCall(0, 0);
            Assert.Equal("empty", ledger.ToString());
            Assert.Equal((live + (function == "rsmi_shut_down" ? 1 : 0), misuse), (fake.Live, fake.Misuse));
            if (function is null) break;
        }
    }

    [Fact]
    public void Frequencies_are_told_apart_by_their_layout()
    {
        Assert.Equal((20, 30), RocmSmiFrequencies.Read(Old(3, 1, 10, 20, 30)));
        Assert.Equal((10, 10), RocmSmiFrequencies.Read(Old(1, 0, 10)));
        Assert.Equal((20, 30), RocmSmiFrequencies.Read(New(0, 3, 1, 10, 20, 30)));
        Assert.Equal((10, 10), RocmSmiFrequencies.Read(New(1, 1, 0, 10)));
        Assert.Equal((20, 20), RocmSmiFrequencies.Read(New(1, 2, 1, 10, 20)));
        Assert.Null(RocmSmiFrequencies.Read(Old(3, 3, 10, 20, 30)));
        Assert.Null(RocmSmiFrequencies.Read(Old(34, 0, 10)));
        Assert.Null(RocmSmiFrequencies.Read(New(0, 0, 0)));
        Assert.Null(RocmSmiFrequencies.Read(Old(2, 0, 10, ulong.MaxValue)));
        Assert.Null(RocmSmiFrequencies.Read(Old(2, 0, 10, 0)));
    }

    [Fact]
    public void The_real_library_opens_or_says_why_not()
    {
        Assert.SkipUnless(NativeLibrary.TryLoad("librocm_smi64.so.1", out _), "No librocm_smi64.so.1 is installed (Debian: librocm-smi64-1).");
        string output = ChildProcess.Run(ChildProcess.RealSmi, []).Trim();
        TestContext.Current.TestOutputHelper?.WriteLine(output);
        Assert.True(output == "opened" || output.Contains("cannot be initialized: ", StringComparison.Ordinal), output);
    }

    /// <summary>In a child process.</summary>
    internal static void OpenForReal()
    {
        using RocmSmiMonitor? monitor = RocmSmiMonitor.TryOpen(null, out string reason);
        _ = monitor?.Read(new PciAddress(0, 3, 0));
        Console.WriteLine(monitor is null ? reason : "opened");
    }

    private static byte[] Old(uint count, uint current, params ulong[] hertz) => Layout([count, current], 8, hertz);

    private static byte[] New(uint sleeps, uint count, uint current, params ulong[] hertz) => Layout([sleeps, count, current], 16, hertz);

    private static byte[] Layout(uint[] head, int table, ulong[] hertz)
    {
        byte[] buffer = new byte[RocmSmiFrequencies.BufferBytes];
        for (int i = 0; i < head.Length; i++) BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(i * 4), head[i]);
        for (int i = 0; i < hertz.Length; i++) BinaryPrimitives.WriteUInt64LittleEndian(buffer.AsSpan(table + (i * 8)), hertz[i]);
        return buffer;
    }

    // SMI is looked for in the usual places, which the fake is not: what is loaded first stays.
    private HipDevice Start()
    {
        HipRuntime runtime = fake.Start();
        CompanionLibrary.Load(RocmLibrary.RocmSmi, runtime.LibraryPath);
        return runtime.OpenDefault();
    }
}
