using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace Benchmark;

/// <summary>Draws results as grouped bars, one panel each for TPOT, TTFT and throughput, with the ratio to the best on every bar.</summary>
internal static class ResultChart
{
    private const int PanelWidth = 460;
    private const int PanelHeight = 420;
    private const int HeaderHeight = 96;
    private const float Margin = 20;

    // Okabe and Ito's colours, which people who do not see all colours can tell apart.
    private static readonly string[] Colors = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442"];

    private sealed record Metric(string Title, Func<MeasuredBackend, Score> Score);

    public static void Write(ExperimentResult result, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        string[] backends = [.. result.Results.Select(measured => measured.Backend).Distinct().Order(StringComparer.Ordinal)];
        Metric[] metrics =
        [
            new("Time per output token (ms), lower is better", measured => measured.TokenMs),
            new("Time to first token (ms), lower is better", measured => measured.FirstTokenMs),
            new("Output tokens per second, higher is better", measured => measured.OutputTokensPerSecond),
        ];
        int panelWidth = Math.Max(PanelWidth, 60 + (result.Load.Concurrencies.Count * (backends.Length + 1) * 50));
        var size = new SKSizeI(metrics.Length * panelWidth, HeaderHeight + PanelHeight);
        using var stream = File.Create(path);
        if (Path.GetExtension(path).Equals(".svg", StringComparison.OrdinalIgnoreCase))
        {
            using SKCanvas canvas = SKSvgCanvas.Create(SKRect.Create(size), stream);
            Draw(canvas);
        }
        else
        {
            using var surface = SKSurface.Create(new SKImageInfo(size.Width, size.Height));
            Draw(surface.Canvas);
            using SKImage image = surface.Snapshot();
            using SKData data = image.Encode(SKEncodedImageFormat.Png, quality: 100);
            data.SaveTo(stream);
        }

        Console.WriteLine($"chart      {path}");

        void Draw(SKCanvas canvas)
        {
            canvas.Clear(SKColors.White);
            DrawHeader(canvas, result, backends);
            for (int i = 0; i < metrics.Length; i++)
                Panel(result, metrics[i], backends).Render(canvas, new PixelRect(i * panelWidth, (i + 1) * panelWidth, size.Height, HeaderHeight));
        }
    }

    private static void DrawHeader(SKCanvas canvas, ExperimentResult result, string[] backends)
    {
        using var regular = SKTypeface.FromFamilyName(FontFamily);
        using var bold = SKTypeface.FromFamilyName(FontFamily, SKFontStyle.Bold);
        using var title = new SKFont(bold, 18);
        using var text = new SKFont(regular, 13);
        using var ink = new SKPaint { Color = SKColors.Black, IsAntialias = true };
        MeasuredLoad load = result.Load;
        canvas.DrawText($"{result.Model.Name} on {result.Device.Name}", Margin, 28, title, ink);
        canvas.DrawText(
            $"{result.Model.Architecture}, {Short(result.Model.ParameterCount / 1e6)} M parameters, {result.Model.DType}; {load.InputLength} tokens in, {load.OutputLength} out; "
            + $"median of {load.NumRounds} rounds, which differ by up to {Short(result.Results.Max(measured => measured.RoundSpread))}\u00D7; ratios: how many times worse than the best",
            Margin, 50, text, ink);
        float x = Margin;
        for (int i = 0; i < backends.Length; i++)
        {
            using var swatch = new SKPaint { Color = SKColor.Parse(Colors[i % Colors.Length]) };
            canvas.DrawRect(x, 67, 14, 14, swatch);
            canvas.DrawText(backends[i], x + 20, 79, text, ink);
            x += 44 + text.MeasureText(backends[i]);
        }
    }

    private static Plot Panel(ExperimentResult result, Metric metric, string[] backends)
    {
        var plot = new Plot();
        plot.RenderManager.ClearCanvasBeforeEachRender = false;
        plot.Font.Set(FontFamily);
        var bars = new List<Bar>();
        var groups = new List<Tick>();
        foreach ((int group, int concurrency) in result.Load.Concurrencies.Index())
        {
            // A group is as wide as its bars, and a bar's width apart from the next.
            double left = group * (backends.Length + 1);
            groups.Add(new Tick(left + ((backends.Length - 1) / 2.0), $"concurrency {concurrency}"));
            foreach (MeasuredBackend measured in result.Results.Where(measured => measured.Concurrency == concurrency))
            {
                int index = Array.IndexOf(backends, measured.Backend);
                Score score = metric.Score(measured);
                var bar = new Bar
                {
                    Position = left + index,
                    Value = score.Value,
                    Size = 0.86,
                    FillColor = Color.FromHex(Colors[index % Colors.Length]),
                    LineWidth = 0,
                    Label = string.Create(CultureInfo.InvariantCulture, $"{score.TimesWorse:0.00}\u00D7\n{Short(score.Value)}"),
                };
                bars.Add(bar);
            }
        }

        var plotted = plot.Add.Bars(bars);
        plotted.ValueLabelStyle.FontSize = 12;
        plot.Title(metric.Title, 14);
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericManual([.. groups]);
        plot.Axes.Bottom.MajorTickStyle.Length = 0;
        plot.Axes.Bottom.TickLabelStyle.FontSize = 13;
        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { TargetTickCount = 6 };
        plot.Axes.Left.MinorTickStyle.Length = 0;
        plot.Axes.SetLimitsY(0, 1.2 * bars.Max(bar => bar.Value));
        plot.Axes.SetLimitsX(-1, result.Load.Concurrencies.Count * (backends.Length + 1) - 1);
        plot.Grid.XAxisStyle.IsVisible = false;
        plot.Axes.Right.FrameLineStyle.Width = 0;
        plot.Axes.Top.FrameLineStyle.Width = 0;
        return plot;
    }

    private static string FontFamily { get; } =
        new[] { "DejaVu Sans", "Liberation Sans", "Noto Sans", "Segoe UI", "Arial", "Helvetica" }.FirstOrDefault(SKFontManager.Default.FontFamilies.Contains)
        ?? Fonts.Default;

    private static string Short(double value) =>
        value.ToString(value >= 1000 ? "#,0" : value >= 100 ? "0" : value >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture);
}
