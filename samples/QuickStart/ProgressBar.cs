using Rocm.Inference;

namespace QuickStart;

/// <summary>One line that shows how far loading is; on a terminal only, so that redirected output stays clean.</summary>
internal sealed class ProgressBar : IProgress<ModelLoadProgress>, IDisposable
{
    private const int Width = 32;
    private bool _isShown;

    public void Report(ModelLoadProgress value)
    {
        if (Console.IsErrorRedirected) return;
        int filled = (int)(value.Fraction * Width);
        Console.Error.Write($"\r{value.Phase,-14}[{new string('#', filled)}{new string('.', Width - filled)}] {value.Fraction,4:P0} ");
        _isShown = true;
    }

    public void Complete()
    {
        if (!_isShown) return;
        Console.Error.Write($"\r{new string(' ', Width + 24)}\r");
        _isShown = false;
    }

    public void Dispose() => Complete();
}
