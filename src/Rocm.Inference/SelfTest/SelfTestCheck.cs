namespace Rocm.Inference.SelfTest;

/// <summary>One kernel at one shape.</summary>
/// <param name="Kernel">Name of the op.</param>
/// <param name="Shape">Dimensions, element types and features, for people.</param>
/// <param name="Prepare">Makes the operands on a lane, which owns them.</param>
internal sealed record SelfTestCheck(string Kernel, string Shape, Func<SelfTestLane, PreparedCheck> Prepare);

/// <summary>A check whose operands are on the device.</summary>
/// <param name="Run">Gives the op to the context; may be repeated, the result of the first run is the one that is compared.</param>
/// <param name="Compare">Reads the result back and compares: the largest error in units of the allowed one.</param>
/// <param name="Bytes">Bytes that the op has to read and write at least.</param>
internal sealed record PreparedCheck(Action<DeviceContext> Run, Func<double> Compare, long Bytes)
{
    /// <summary>Scratch of the op, in bytes, as the device promised it; the default serves ops that promise nothing.</summary>
    public long ArenaBytes { get; init; } = 16 << 20;
}
