using Rocm.Inference.Attention.Backends;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Conformance.Attention.Backends;

/// <summary>When backends plan a step's decode rows, and who gets the plan.</summary>
public sealed class DecodePlanTests : IDisposable
{
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    public void Dispose() => _device.Dispose();

    [Fact]
    public void Decode_rows_are_planned_once_for_all_layers_before_the_first_and_others_are_not()
    {
        var spy = new SpyDevice(_device, planBytes: 64);
        BackendRuns.Check(
            spy, new AttentionRequests(BackendCells.Mla(3), [40, 30], seed: 21), new BackendRun(AttentionBackendNames.RocmAiterMla),
            [(0, 20), (1, 10)], [(0, 1), (1, 1)], [(0, 2), (1, 1)]);
        Assert.Equal(
            [("RopeStoreKv", 0), ("FlashVarlen", 2), ("PlanDecode", 2), ("RopeStoreKv", 0), ("MlaDecode", 2), ("PlanDecode", 2), ("RopeStoreKv", 0), ("MlaDecode", 2)],
            spy.Calls.Select(call => (call.Primitive, call.NumRows)));
        Assert.All(spy.Calls.Where(call => call.Primitive == "MlaDecode"), call => Assert.Equal("Occupancy planned", call.Detail));
    }

    [Fact]
    public void Decode_rows_of_three_paths_are_planned_before_the_first_layer_too()
    {
        var spy = new SpyDevice(_device, planBytes: 64);
        BackendRuns.Check(
            spy, new AttentionRequests(BackendCells.Mha(2, 1, 16), [40, 30], seed: 23), new BackendRun(AttentionBackendNames.RocmAiterFa), [(0, 20)], [(0, 1), (1, 10)]);
        Assert.Equal(
            [("RopeStoreKv", 0), ("FlashVarlen", 1), ("PlanDecode", 1), ("RopeStoreKv", 0), ("PagedDecode", 1), ("FlashVarlen", 1)],
            spy.Calls.Select(call => (call.Primitive, call.NumRows)));
        Assert.Equal("All Fixed planned", spy.Calls.Single(call => call.Primitive == "PagedDecode").Detail);
    }

    [Theory]
    [InlineData(40, 1)]
    [InlineData(64, 0)]
    public void Decode_rows_that_go_in_several_runs_are_not_planned(int rows, int plans)
    {
        var spy = new SpyDevice(_device, planBytes: 64);
        AttentionSpec spec = BackendCells.Mla(4);
        IAttentionBackend backend = LibraryBackends.Create(new ContextWorkspace(32, MaxBytes: 1)).Single(b => b.Name == AttentionBackendNames.RocmAiterMla);
        Assert.InRange(MlaWorkspace.DecodeThreshold(spec), 41, 63);
        using var scenario = new PlanningScenario(spy, backend, spec, rows, promptLen: 20);
        scenario.BuildAndPlan();
        Assert.Equal(rows, scenario.Step.Rows.Length);
        Assert.Equal(plans, spy.Calls.Count(call => call.Primitive == "PlanDecode"));
    }
}
