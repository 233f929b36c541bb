namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>How a matrix [N, K] lies in memory as panels: [N/48 rounded up] panels of <see cref="PanelBytes"/>; missing rows are zero.</summary>
/// <param name="Format">How elements lie in a panel.</param>
/// <param name="OutputFeatures">N.</param>
/// <param name="InputFeatures">K.</param>
internal readonly record struct PanelLayout(PanelFormat Format, int OutputFeatures, int InputFeatures)
{
    public int NumPanels => (OutputFeatures + Panel.Width - 1) / Panel.Width;

    public long PanelBytes => Panel.SizeBytes(Format, InputFeatures);

    public long SizeBytes => NumPanels * PanelBytes;
}
