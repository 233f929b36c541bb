using Rocm.Inference.KvCache;

namespace Rocm.Inference.Scheduling;

/// <summary>One prompt and its output, as far as scheduling needs to know it. Belongs to the engine's loop; not thread safe.</summary>
internal sealed class Request
{
    private const int InitialRoomForOutput = 256;

    private int[] _tokens;

    /// <param name="id">Name for logs and traces.</param>
    /// <param name="prompt">Token ids; copied. At least one.</param>
    /// <param name="maxNewTokens">Most tokens to generate; at least 1.</param>
    public Request(string id, ReadOnlySpan<int> prompt, int maxNewTokens)
    {
        if (prompt.IsEmpty) throw new ArgumentException("A prompt needs at least one token.", nameof(prompt));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxNewTokens);
        Id = id;
        PromptLen = prompt.Length;
        NumTokens = prompt.Length;
        MaxNewTokens = maxNewTokens;
        MaxTokens = (int)Math.Min(int.MaxValue, (long)prompt.Length + maxNewTokens);
        _tokens = new int[(int)Math.Min(MaxTokens, (long)prompt.Length + InitialRoomForOutput)];
        prompt.CopyTo(_tokens);
    }

    public string Id { get; }

    /// <summary>Lower runs first. Among equals the earlier arrival does.</summary>
    public int Priority { get; init; }

    /// <summary>Requests with different salts never share cached blocks.</summary>
    public string? CacheSalt { get; init; }

    /// <summary>True to compute the whole prompt even when its prefix is cached, because its logits are asked for.</summary>
    public bool SkipsCacheReads { get; init; }

    /// <summary>The engine's own state of the request; the scheduler does not look at it.</summary>
    public object? State { get; set; }

    /// <summary>Place in the order of <see cref="Scheduler.Add"/>.</summary>
    public long ArrivalSequence { get; internal set; }

    public RequestStatus Status { get; internal set; }

    public int PromptLen { get; }

    public int MaxNewTokens { get; }

    /// <summary>Prompt plus output may not exceed this; <see cref="Scheduler.Add"/> lowers it to the model's length.</summary>
    public int MaxTokens { get; internal set; }

    /// <summary>Prompt and generated tokens.</summary>
    public int NumTokens { get; private set; }

    /// <summary>Leading tokens whose keys and values are in the cache, or will be when the step in flight has run.</summary>
    public int NumComputedTokens { get; internal set; }

    /// <summary>Prompt tokens taken from the prefix cache at first admission.</summary>
    public int NumCachedTokens { get; internal set; }

    public int NumPreemptions { get; internal set; }

    /// <summary>Block tables per layer group; set by <see cref="Scheduler.Add"/>.</summary>
    public RequestBlocks Blocks { get; internal set; } = null!;

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, NumTokens);

    public ReadOnlySpan<int> PromptTokens => _tokens.AsSpan(0, PromptLen);

    public ReadOnlySpan<int> GeneratedTokens => _tokens.AsSpan(PromptLen, NumGeneratedTokens);

    public int NumGeneratedTokens => NumTokens - PromptLen;

    /// <summary>Tokens still to be computed before the next one can be sampled.</summary>
    public int NumUncomputedTokens => NumTokens - NumComputedTokens;

    /// <summary>True when the next sampled token will be the last one for reasons of length.</summary>
    public bool IsLastToken => NumTokens + 1 >= MaxTokens;

    public bool IsFinished => Status == RequestStatus.Finished;

    /// <summary>Tokens up to which nothing has to grow: prompt and the first of the output.</summary>
    internal int TokenCapacity => _tokens.Length;

    /// <summary>True while a scheduled step reads or writes its blocks.</summary>
    internal bool IsInFlight { get; set; }

    internal void Append(int token)
    {
        if (NumTokens == _tokens.Length) Array.Resize(ref _tokens, (int)Math.Min(MaxTokens, _tokens.Length * 2L));
        _tokens[NumTokens++] = token;
    }

    /// <summary>The one order of all queues: negative when this request goes before <paramref name="other"/>.</summary>
    internal int CompareTo(Request other) =>
        Priority != other.Priority ? Priority.CompareTo(other.Priority) : ArrivalSequence.CompareTo(other.ArrivalSequence);
}
