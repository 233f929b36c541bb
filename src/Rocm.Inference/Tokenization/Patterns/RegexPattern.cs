using System.Buffers;

namespace Rocm.Inference.Tokenization.Patterns;

/// <summary>
/// A regex over code points with a bounded amount of backtracking: a pattern of a model file on text of a stranger must end.
/// </summary>
internal sealed class RegexPattern : TextPattern
{
    private readonly Instruction[] _code;
    private readonly string _source;

    /// <exception cref="FormatException">The pattern uses what is not supported, or may match nothing.</exception>
    public RegexPattern(string source)
    {
        _source = source;
        var tree = PatternParser.Parse(source);
        if (tree.Nullable) throw new FormatException("a pattern that may match nothing");
        _code = PatternProgram.Compile(tree);
    }

    public override bool Find(ReadOnlySpan<byte> text, int from, ref long steps, out int start, out int end)
    {
        var matcher = new Matcher(_code, text, steps);
        try
        {
            start = from;
            while (start < text.Length)
            {
                end = matcher.Run(0, start);
                if (end > start) return true;
                CodePoints.Decode(text, start, out var length);
                start += length;
            }
            end = start;
            return false;
        }
        catch (TimeoutException e)
        {
            throw new RocmInferenceException($"The pre-tokenizer pattern '{_source}' needs too many steps for this text; shorten the text.", e);
        }
        finally
        {
            steps = matcher.Steps;
            matcher.Dispose();
        }
    }

    private readonly record struct Choice(int Code, int At, int Floor);

    private ref struct Matcher(Instruction[] code, ReadOnlySpan<byte> text, long steps)
    {
        private readonly ReadOnlySpan<byte> _text = text;
        private Choice[]? _stack;
        private int _depth;

        public long Steps { get; private set; } = steps;

        public readonly void Dispose()
        {
            if (_stack is not null) ArrayPool<Choice>.Shared.Return(_stack);
        }

        /// <summary>The end of the match of the code at <paramref name="pc"/> from <paramref name="at"/>, or -1.</summary>
        public int Run(int pc, int at)
        {
            var bottom = _depth;
            while (true)
            {
                if (--Steps < 0) throw new TimeoutException();
                ref readonly var instruction = ref code[pc];
                var ok = true;
                switch (instruction.Op)
                {
                    case Op.Accept:
                        _depth = bottom;
                        return at;
                    case Op.One:
                        ok = at < _text.Length && instruction.Set!.Contains(CodePoints.Decode(_text, at, out var length)) && Move(ref at, length);
                        pc++;
                        break;
                    case Op.Many or Op.Keep:
                        ok = Repeat(in instruction, pc + 1, ref at);
                        pc++;
                        break;
                    case Op.Split:
                        Push(new Choice(instruction.Second, at, at));
                        pc = instruction.First;
                        break;
                    case Op.Jump:
                        pc = instruction.First;
                        break;
                    case Op.Ahead or Op.NotAhead:
                        ok = Run(pc + 1, at) >= 0 == (instruction.Op == Op.Ahead);
                        pc = instruction.Second;
                        break;
                    case Op.Atomic:
                        var end = Run(pc + 1, at);
                        ok = end >= 0;
                        at = end;
                        pc = instruction.Second;
                        break;
                }
                if (ok) continue;
                if (_depth == bottom) return -1;
                ref var choice = ref _stack![_depth - 1];
                pc = choice.Code;
                at = choice.At;
                // A repetition gives back one code point at a time down to its floor.
                if (at > choice.Floor) choice = choice with { At = CodePoints.StepBack(_text, at) };
                else _depth--;
            }
        }

        private static bool Move(ref int at, int length)
        {
            at += length;
            return true;
        }

        private bool Repeat(in Instruction instruction, int next, ref int at)
        {
            var set = instruction.Set!;
            var count = 0;
            var floor = at;
            var most = instruction.Second;
            while (count < most && at < _text.Length)
            {
                var codePoint = CodePoints.Decode(_text, at, out var length);
                if (!set.Contains(codePoint)) break;
                at += length;
                if (++count == instruction.First) floor = at;
            }
            Steps -= count;
            if (count < instruction.First) return false;
            if (instruction.Op == Op.Many && at > floor) Push(new Choice(next, CodePoints.StepBack(_text, at), floor));
            return true;
        }

        private void Push(Choice choice)
        {
            if (_stack is null) _stack = ArrayPool<Choice>.Shared.Rent(64);
            else if (_depth == _stack.Length)
            {
                var larger = ArrayPool<Choice>.Shared.Rent(_depth * 2);
                _stack.CopyTo(larger, 0);
                ArrayPool<Choice>.Shared.Return(_stack);
                _stack = larger;
            }
            _stack[_depth++] = choice;
        }
    }
}
