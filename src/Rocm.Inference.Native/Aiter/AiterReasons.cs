using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Rocm.Inference.Native.Aiter;

/// <summary>Collects why a kernel cannot do what is asked for, a sentence each.</summary>
internal readonly struct AiterReasons
{
    private readonly ImmutableArray<string>.Builder _reasons = ImmutableArray.CreateBuilder<string>();

    public AiterReasons()
    {
    }

    /// <summary>Adds a sentence where a condition does not hold.</summary>
    internal void Require(bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] Unmet reason)
    {
        if (!condition) _reasons.Add(reason.Text);
    }

    internal void Require(bool condition, string reason)
    {
        if (!condition) _reasons.Add(reason);
    }

    internal void RequireNone(AiterFeatures features)
    {
        if (features != AiterFeatures.None) _reasons.Add($"The kernel has no {features}.");
    }

    internal void Add(string reason) => _reasons.Add(reason);

    internal ImmutableArray<string> ToImmutable() => _reasons.ToImmutable();

    /// <summary>A sentence that is put together only when it is needed.</summary>
    [InterpolatedStringHandler]
    internal ref struct Unmet
    {
        private DefaultInterpolatedStringHandler _text;

        public Unmet(int literalLength, int formattedCount, bool condition, out bool isNeeded)
        {
            isNeeded = !condition;
            _text = condition ? default : new DefaultInterpolatedStringHandler(literalLength, formattedCount, CultureInfo.InvariantCulture);
        }

        internal string Text => _text.ToStringAndClear();

        public void AppendLiteral(string value) => _text.AppendLiteral(value);

        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);
    }
}
