namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Checks weights before they are packed and finds their common layout.</summary>
internal static class WeightSourceChecks
{
    /// <exception cref="ArgumentException">Members of different shapes, or a matrix that contradicts itself.</exception>
    /// <exception cref="NotSupportedException">An element type that has no panel format.</exception>
    public static PanelLayout LayoutOf(ReadOnlySpan<WeightSource> members)
    {
        (int rows, int columns) = WeightChecks.Check(members, "the CPU device");
        PanelFormat? format = null;
        foreach (ref readonly WeightSource member in members)
        {
            foreach (ref readonly WeightMatrix part in member.Parts.Span)
            {
                // Matrices of different types that are stacked meet in f32, which holds both exactly.
                PanelFormat own = FormatOf(part);
                if (format is { } other && other != own && (Panel.IsScaled(own) || Panel.IsScaled(other)))
                    throw new NotSupportedException($"'{part.Name}' is {part.DType}, a matrix beside it is {other}: pack them apart, or they would be widened in memory.");
                format = format is null || format == own ? own : PanelFormat.F32;
            }
        }

        return new PanelLayout(format!.Value, rows, columns);
    }

    private static PanelFormat FormatOf(in WeightMatrix part) => part.DType switch
    {
        DType.BF16 => PanelFormat.BF16,
        DType.F16 => PanelFormat.F16,
        DType.F8E4M3Fn or DType.F8E4M3Fnuz => PanelFormat.F8E4M3,
        DType.F8E5M2 => PanelFormat.F8E5M2,
        DType.F4E2M1 => PanelFormat.F4E2M1,
        _ => PanelFormat.F32,
    };
}
