namespace Rocm.Inference.Tokenization.Patterns;

/// <summary>Syntax tree of a pattern.</summary>
internal abstract class PatternNode
{
    public const int Unbounded = int.MaxValue;

    /// <summary>May match nothing.</summary>
    public abstract bool Nullable { get; }
}

internal sealed class ClassNode(CodePointClass set) : PatternNode
{
    public CodePointClass Set { get; } = set;

    public override bool Nullable => false;
}

internal sealed class SequenceNode(List<PatternNode> items) : PatternNode
{
    public List<PatternNode> Items { get; } = items;

    public override bool Nullable => Items.TrueForAll(item => item.Nullable);
}

internal sealed class ChoiceNode(List<PatternNode> options) : PatternNode
{
    public List<PatternNode> Options { get; } = options;

    public override bool Nullable => Options.Exists(option => option.Nullable);
}

internal enum Greed
{
    Greedy,
    Lazy,
    Possessive,
}

internal sealed class RepeatNode(PatternNode body, int least, int most, Greed greed) : PatternNode
{
    public PatternNode Body { get; } = body;

    public int Least { get; } = least;

    public int Most { get; } = most;

    public Greed Greed { get; } = greed;

    public override bool Nullable => Least == 0 || Body.Nullable;
}

internal sealed class LookAheadNode(PatternNode body, bool negative) : PatternNode
{
    public PatternNode Body { get; } = body;

    public bool Negative { get; } = negative;

    public override bool Nullable => true;
}
