namespace Rocm.Inference.Tokenization.Patterns;

internal enum Op : byte
{
    /// <summary>One code point of the class.</summary>
    One,

    /// <summary>The class from Least to Most times, greedily, giving back one by one.</summary>
    Many,

    /// <summary>The class from Least to Most times, giving back nothing.</summary>
    Keep,

    /// <summary>Try First, then Second.</summary>
    Split,
    Jump,

    /// <summary>Go on at Second if the code behind this instruction matches here.</summary>
    Ahead,

    /// <summary>Go on at Second unless the code behind this instruction matches here.</summary>
    NotAhead,

    /// <summary>Match the code behind this instruction once, forget its alternatives, go on at Second.</summary>
    Atomic,
    Accept,
}

internal readonly record struct Instruction(Op Op, CodePointClass? Set = null, int First = 0, int Second = 0);

/// <summary>Turns a syntax tree into instructions.</summary>
internal sealed class PatternProgram
{
    private const int MaxInstructions = 4096;

    private readonly List<Instruction> _code = [];

    private PatternProgram()
    {
    }

    public static Instruction[] Compile(PatternNode root)
    {
        var program = new PatternProgram();
        program.Emit(root);
        program.Add(new Instruction(Op.Accept));
        return [.. program._code];
    }

    private int Add(Instruction instruction)
    {
        if (_code.Count >= MaxInstructions) throw new FormatException("repetitions that unroll to a very large program");
        _code.Add(instruction);
        return _code.Count - 1;
    }

    private void Emit(PatternNode node)
    {
        switch (node)
        {
            case ClassNode one:
                Add(new Instruction(Op.One, one.Set));
                break;
            case SequenceNode sequence:
                foreach (var item in sequence.Items) Emit(item);
                break;
            case ChoiceNode choice:
                EmitChoice(choice);
                break;
            case LookAheadNode ahead:
                EmitEnclosed(ahead.Negative ? Op.NotAhead : Op.Ahead, ahead.Body);
                break;
            case RepeatNode repeat:
                EmitRepeat(repeat);
                break;
        }
    }

    private void EmitChoice(ChoiceNode choice)
    {
        var ends = new List<int>();
        for (var i = 0; i < choice.Options.Count - 1; i++)
        {
            var split = Add(default);
            Emit(choice.Options[i]);
            ends.Add(Add(default));
            _code[split] = new Instruction(Op.Split, First: split + 1, Second: _code.Count);
        }
        Emit(choice.Options[^1]);
        foreach (var end in ends) _code[end] = new Instruction(Op.Jump, First: _code.Count);
    }

    private void EmitEnclosed(Op op, PatternNode body)
    {
        var head = Add(default);
        Emit(body);
        Add(new Instruction(Op.Accept));
        _code[head] = new Instruction(op, Second: _code.Count);
    }

    private void EmitRepeat(RepeatNode repeat)
    {
        if (repeat.Body is ClassNode one && repeat.Greed != Greed.Lazy)
        {
            Add(new Instruction(repeat.Greed == Greed.Greedy ? Op.Many : Op.Keep, one.Set, repeat.Least, repeat.Most));
            return;
        }
        if (repeat.Greed == Greed.Possessive)
        {
            EmitEnclosed(Op.Atomic, new RepeatNode(repeat.Body, repeat.Least, repeat.Most, Greed.Greedy));
            return;
        }
        for (var i = 0; i < repeat.Least; i++) Emit(repeat.Body);
        if (repeat.Most == PatternNode.Unbounded)
        {
            var split = Add(default);
            Emit(repeat.Body);
            Add(new Instruction(Op.Jump, First: split));
            _code[split] = Choose(repeat.Greed, split + 1, _code.Count);
            return;
        }
        var splits = new List<int>();
        for (var i = repeat.Least; i < repeat.Most; i++)
        {
            splits.Add(Add(default));
            Emit(repeat.Body);
        }
        foreach (var split in splits) _code[split] = Choose(repeat.Greed, split + 1, _code.Count);
    }

    private static Instruction Choose(Greed greed, int body, int after) =>
        greed == Greed.Lazy ? new Instruction(Op.Split, First: after, Second: body) : new Instruction(Op.Split, First: body, Second: after);
}
