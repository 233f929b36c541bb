using System.Diagnostics;
using Rocm.Inference;

namespace Benchmark;

/// <summary>One line on a terminal that shows what goes on and how far it is. Silent when errors are redirected. Thread-safe.</summary>
internal sealed class ProgressLine : IProgress<ModelLoadProgress>, IDisposable
{
    private const int BarWidth = 28;
    private const int MaxText = 48;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly bool _isTerminal = !Console.IsErrorRedirected;
    private long _shownAt;
    private int _width;

    /// <summary>Shows a bar; at most ten times a second.</summary>
    /// <param name="text">What goes on.</param>
    /// <param name="fraction">Share that is done.</param>
    /// <param name="remaining">Time left, when it is known.</param>
    public void Show(string text, double fraction, TimeSpan? remaining = null)
    {
        if (!_isTerminal) return;
        lock (_lock)
        {
            if (_width > 0 && Stopwatch.GetElapsedTime(_shownAt) < Pause) return;
            _shownAt = Stopwatch.GetTimestamp();
            int filled = (int)(Math.Clamp(fraction, 0, 1) * BarWidth);
            string left = remaining is { } time ? $" {time:mm\\:ss} left" : string.Empty;
            string line = $"[{new string('#', filled)}{new string('.', BarWidth - filled)}] {fraction,4:P0} {(text.Length > MaxText ? text[..MaxText] : text)}{left}";
            Console.Error.Write($"\r{line.PadRight(_width)}");
            _width = Math.Max(_width, line.Length);
        }
    }

    public void Report(ModelLoadProgress value) => Show($"loading: {value.Phase}", value.Fraction);

    /// <summary>Wipes the line, so that something else can be written.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            if (_width > 0) Console.Error.Write($"\r{new string(' ', _width)}\r");
            _width = 0;
        }
    }

    public void Dispose() => Clear();
}
