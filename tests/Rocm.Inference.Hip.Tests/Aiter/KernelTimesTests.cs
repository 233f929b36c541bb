using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip.Aiter;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>The table by which AITER's kernel or this library's is taken.</summary>
public sealed class KernelTimesTests
{
    private static readonly KernelTimes _times = new([
        new(4, 256, 9, 8), new(1, 1024, 2, 3), new(1, 256, 5, 4), new(4, 1024, 7, 7), new(16, 256, 1, 2)]);

    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(1, 256, false)]
    [InlineData(1, 257, true)]
    [InlineData(1, 100_000, true)]
    [InlineData(2, 256, false)]
    [InlineData(3, 500, true)]
    [InlineData(5, 9, true)]
    [InlineData(16, 9999, true)]
    [InlineData(400, 300, true)]
    public void A_step_goes_by_the_next_larger_one_that_was_timed_or_the_largest(int rows, int length, bool aiter) =>
        Assert.Equal(aiter ? KernelChoice.Aiter : KernelChoice.Own, _times.Best(rows, length));

    [Theory]
    [InlineData(3, 4, 2.0, "Persistent")]
    [InlineData(3, 2, 2.0, "Own")]
    [InlineData(2, 4, 2.0, "Aiter")]
    [InlineData(2, 2, 3.0, "Aiter")]
    [InlineData(4, 3, null, "Own")]
    public void The_fastest_kernel_is_taken_and_of_equals_the_one_that_needs_no_plan(double aiter, double own, double? persistent, string best) =>
        Assert.Equal(best, new KernelTimes([new KernelTime(1, 256, aiter, own, persistent)]).Best(1, 256).ToString());

    [Fact]
    public void What_is_kept_is_read_as_it_was()
    {
        var times = new KernelTimes([new(1, 256, 0.1 + 0.2, 1e-7), new(2, 256, 12345.678, 0, 1.5)]);
        Assert.Equal(times.All, KernelTimes.Read(times.ToBytes())!.All);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1 256 2\n")]
    [InlineData("1 256 2 3 4 5\n")]
    [InlineData("1 256 2 3 x\n")]
    [InlineData("0 256 2 3\n")]
    [InlineData("1 256 NaN 3\n")]
    [InlineData("1 256 -2 3\n")]
    [InlineData("1 256 2 3\n\u0001\n")]
    public void What_is_no_table_is_not_read(string text) => Assert.Null(KernelTimes.Read(System.Text.Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void Steps_cover_what_a_session_can_do_and_no_more()
    {
        Assert.Equal(
            [(1, 256), (1, 1000), (2, 256), (2, 1000), (3, 256), (3, 1000)], AiterTuner.Steps(AiterPrimitive.PagedDecode, new BatchLimits(72, 3, 1000)));
        Assert.Equal([(1, 192)], AiterTuner.Steps(AiterPrimitive.MlaDecode, new BatchLimits(72, 1, 192)));
        Assert.Equal([(1, 256), (1, 1024), (1, 2048)], AiterTuner.Steps(AiterPrimitive.FlashVarlen, new BatchLimits(2048, 64, 1 << 20)));
        (int Rows, int Length)[] large = [.. AiterTuner.Steps(AiterPrimitive.PagedDecode, new BatchLimits(8192, 4096, 1 << 20))];
        Assert.Equal(256, large.Max(step => step.Rows));
        Assert.Equal(1 << 20, large.Where(step => step.Rows == 1).Max(step => step.Length));
        Assert.All(large, step => Assert.True((long)step.Rows * step.Length <= 4 << 20));
    }
}
