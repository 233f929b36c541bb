using System.Threading.Tasks.Sources;
using Rocm.Inference.Sampling;

namespace Rocm.Inference.Engine;

/// <summary>
/// What the engine has for one reader and the reader has not taken yet. The engine adds without waiting and without allocating while the
/// reader keeps up; the reader takes all at once. One reader at a time. The reader's continuation never runs on the engine's thread.
/// </summary>
internal sealed class GenerationStream : IValueTaskSource<bool>, IThreadPoolWorkItem
{
    private readonly Lock _gate = new();
    private readonly int _numLogprobs;
    private ManualResetValueTaskSourceCore<bool> _wait;
    private bool _isWaiting;
    private bool _isEnded;
    private bool _isEndTaken;
    private int[] _ids = new int[16];
    private int _numIds;
    private char[] _text = new char[64];
    private int _textLength;
    private float[] _logprobs = [];
    private TokenLogprobEntry[] _top = [];
    private FinishReason _reason;
    private GenerationUsage? _usage;
    private GenerationTimings? _timings;
    private Exception? _error;

    /// <param name="numLogprobs">−1 = no log-probabilities, else how many likely tokens come with each token.</param>
    public GenerationStream(int numLogprobs)
    {
        _numLogprobs = numLogprobs;
        if (numLogprobs < 0) return;
        _logprobs = new float[_ids.Length];
        _top = new TokenLogprobEntry[_ids.Length * numLogprobs];
    }

    /// <summary>Adds a token and the text that it completes. Ignored after the end.</summary>
    /// <param name="id">The token.</param>
    /// <param name="logprob">Its log-probability, where asked.</param>
    /// <param name="top">The likely tokens, where asked.</param>
    /// <param name="text">New text; may be empty.</param>
    /// <param name="wakeReader">False when the end follows at once, so that both come in one update.</param>
    public void Add(int id, float logprob, ReadOnlySpan<TokenLogprobEntry> top, ReadOnlySpan<char> text, bool wakeReader)
    {
        lock (_gate)
        {
            if (_isEnded) return;
            if (_numIds == _ids.Length) Grow();
            if (_numLogprobs >= 0)
            {
                _logprobs[_numIds] = logprob;
                top[.._numLogprobs].CopyTo(_top.AsSpan(_numIds * _numLogprobs));
            }

            _ids[_numIds++] = id;
            CopyText(text);
            if (wakeReader) WakeReader();
        }
    }

    /// <summary>Adds text that belongs to the tokens added before, without waking the reader. Ignored after the end.</summary>
    public void AddText(ReadOnlySpan<char> text)
    {
        lock (_gate)
        {
            if (!_isEnded) CopyText(text);
        }
    }

    /// <summary>Ends the stream well.</summary>
    public void Complete(FinishReason reason, GenerationUsage usage, GenerationTimings timings)
    {
        lock (_gate)
        {
            if (_isEnded) return;
            _isEnded = true;
            _reason = reason;
            _usage = usage;
            _timings = timings;
            WakeReader();
        }
    }

    /// <summary>Ends the stream with an error; the first end counts. What was added before is still read.</summary>
    public void Fail(Exception error)
    {
        lock (_gate)
        {
            if (_isEnded) return;
            _isEnded = true;
            _error = error;
            WakeReader();
        }
    }

    /// <summary>Ends the stream at once, with what was not read yet dropped, even when the engine has ended it: cancelling wins.</summary>
    /// <returns>True when it had not ended before.</returns>
    public bool Cancel(Exception error)
    {
        lock (_gate)
        {
            if (_isEndTaken) return false;
            bool wasEnded = _isEnded;
            _isEnded = true;
            _error = error;
            _numIds = 0;
            _textLength = 0;
            WakeReader();
            return !wasEnded;
        }
    }

    /// <summary>True when nothing can be added any more.</summary>
    public bool IsEnded
    {
        get
        {
            lock (_gate) return _isEnded;
        }
    }

    /// <summary>Waits for something to take: true; false when all has been taken.</summary>
    public ValueTask<bool> WaitAsync()
    {
        lock (_gate)
        {
            if (_isEndTaken) return new ValueTask<bool>(false);
            if (_numIds > 0 || _textLength > 0 || _isEnded) return new ValueTask<bool>(true);
            _wait.Reset();
            _isWaiting = true;
            return new ValueTask<bool>(this, _wait.Version);
        }
    }

    /// <summary>Takes all there is. To be called when <see cref="WaitAsync"/> has given true; throws the stream's error.</summary>
    public GenerationUpdate Take()
    {
        lock (_gate)
        {
            bool isLast = _isEnded && (_error is null || (_numIds == 0 && _textLength == 0));
            if (isLast)
            {
                _isEndTaken = true;
                if (_error is not null) throw _error;
            }

            var update = new GenerationUpdate
            {
                Text = _textLength == 0 ? string.Empty : new string(_text, 0, _textLength),
                TokenIds = _ids.AsSpan(0, _numIds).ToArray(),
                Logprobs = TakeLogprobs(),
                FinishReason = isLast ? _reason : null,
                Usage = isLast ? _usage : null,
                Timings = isLast ? _timings : null,
            };
            _numIds = 0;
            _textLength = 0;
            return update;
        }
    }

    bool IValueTaskSource<bool>.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    void IThreadPoolWorkItem.Execute() => _wait.SetResult(true);

    // The stream itself is the work item: waking a reader allocates nothing on the engine's thread.
    private void WakeReader()
    {
        if (!_isWaiting) return;
        _isWaiting = false;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private void CopyText(ReadOnlySpan<char> text)
    {
        if (_textLength + text.Length > _text.Length) Array.Resize(ref _text, Math.Max(_text.Length * 2, _textLength + text.Length));
        text.CopyTo(_text.AsSpan(_textLength));
        _textLength += text.Length;
    }

    private void Grow()
    {
        Array.Resize(ref _ids, _ids.Length * 2);
        if (_numLogprobs < 0) return;
        Array.Resize(ref _logprobs, _ids.Length);
        Array.Resize(ref _top, _ids.Length * _numLogprobs);
    }

    private TokenLogprobs[] TakeLogprobs()
    {
        if (_numLogprobs < 0 || _numIds == 0) return [];
        var result = new TokenLogprobs[_numIds];
        for (int i = 0; i < _numIds; i++)
        {
            var top = new TokenLogprob[_numLogprobs];
            for (int j = 0; j < top.Length; j++)
            {
                TokenLogprobEntry entry = _top[(i * _numLogprobs) + j];
                top[j] = new TokenLogprob(entry.Id, entry.Logprob);
            }

            result[i] = new TokenLogprobs { TokenId = _ids[i], Logprob = _logprobs[i], Top = top };
        }

        return result;
    }
}
