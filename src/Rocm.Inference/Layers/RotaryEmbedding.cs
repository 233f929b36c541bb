using Rocm.Inference.Devices;

namespace Rocm.Inference.Layers;

/// <summary>
/// Makes rotary tables. Frequencies and angles are computed in double and rounded once, to f32. Scalings that depend on the sequence length
/// (dynamic, longrope) take the session's maximum instead of the current length, as vLLM does: a key in the cache stays rotated as it was
/// stored, so a table that changed while a sequence grows would mix two rotations.
/// </summary>
internal static class RotaryEmbedding
{
    /// <summary>Radians per position of each pair: [RotaryDim/2].</summary>
    /// <param name="rope">The parameters.</param>
    /// <param name="maxSeqLen">Longest sequence of the session.</param>
    public static double[] InverseFrequencies(RopeParameters rope, int maxSeqLen)
    {
        int dim = rope.RotaryDim;
        double theta = rope.Scaling == RopeScaling.Dynamic ? DynamicTheta(rope, maxSeqLen) : rope.Theta;
        var frequencies = new double[dim / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = Math.Pow(theta, -2.0 * i / dim);
        switch (rope.Scaling)
        {
            case RopeScaling.Linear:
                for (int i = 0; i < frequencies.Length; i++) frequencies[i] /= rope.Factor;
                break;
            case RopeScaling.Llama3:
                for (int i = 0; i < frequencies.Length; i++) frequencies[i] = Llama3(rope, frequencies[i]);
                break;
            case RopeScaling.Yarn:
                Yarn(rope, frequencies);
                break;
            case RopeScaling.LongRope:
                IReadOnlyList<double> factors = maxSeqLen > rope.OriginalMaxPositions ? rope.LongFactors : rope.ShortFactors;
                for (int i = 0; i < frequencies.Length; i++) frequencies[i] /= factors[i];
                break;
        }

        return frequencies;
    }

    /// <summary>The table's rows [positions, RotaryDim]: cosines, then sines, attention factor included.</summary>
    /// <param name="rope">The parameters.</param>
    /// <param name="firstPosition">Position of the first row.</param>
    /// <param name="frequencies">From <see cref="InverseFrequencies"/>.</param>
    /// <param name="rows">Receives a whole number of rows.</param>
    public static void Fill(RopeParameters rope, int firstPosition, ReadOnlySpan<double> frequencies, Span<float> rows)
    {
        int half = frequencies.Length;
        for (int position = firstPosition; !rows.IsEmpty; position++, rows = rows[(2 * half)..])
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = Math.SinCos(position * frequencies[i]);
                rows[i] = (float)(cos * rope.AttentionFactor);
                rows[half + i] = (float)(sin * rope.AttentionFactor);
            }
        }
    }

    /// <summary>Makes the table of a session on the device.</summary>
    /// <param name="context">Uploads through it.</param>
    /// <param name="rope">The parameters.</param>
    /// <param name="maxSeqLen">Number of positions.</param>
    /// <param name="cancellationToken">Checked between chunks of positions.</param>
    public static RopeTable CreateTable(DeviceContext context, RopeParameters rope, int maxSeqLen, CancellationToken cancellationToken)
    {
        const int chunkPositions = 1024;
        double[] frequencies = InverseFrequencies(rope, maxSeqLen);
        DeviceBuffer buffer = context.Device.Allocate(TableBytes(rope, maxSeqLen));
        try
        {
            var table = new RopeTable(buffer, maxSeqLen, rope.RotaryDim, rope.Interleaved);
            var rows = new float[Math.Min(chunkPositions, maxSeqLen) * rope.RotaryDim];
            for (int position = 0; position < maxSeqLen; position += chunkPositions)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = Math.Min(chunkPositions, maxSeqLen - position);
                Span<float> chunk = rows.AsSpan(0, count * rope.RotaryDim);
                Fill(rope, position, frequencies, chunk);
                context.Upload<float>(chunk, table.CosSin.Slice(0, position, count));
            }

            return table;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    /// <summary>Device memory of a table.</summary>
    public static long TableBytes(RopeParameters rope, int maxSeqLen) => (long)maxSeqLen * rope.RotaryDim * sizeof(float);

    // NTK: the base grows with the length, so that the slowest pair just covers it. Within the original length it stays.
    private static double DynamicTheta(RopeParameters rope, int maxSeqLen)
    {
        double dim = rope.RotaryDim;
        double ratio = (double)Math.Max(maxSeqLen, rope.OriginalMaxPositions) / rope.OriginalMaxPositions;
        return rope.Theta * Math.Pow((rope.Factor * ratio) - (rope.Factor - 1), dim / (dim - 2));
    }

    private static double Llama3(RopeParameters rope, double frequency)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < rope.OriginalMaxPositions / rope.HighFreqFactor) return frequency;
        if (wavelength > rope.OriginalMaxPositions / rope.LowFreqFactor) return frequency / rope.Factor;
        double smooth = ((rope.OriginalMaxPositions / wavelength) - rope.LowFreqFactor) / (rope.HighFreqFactor - rope.LowFreqFactor);
        return ((1 - smooth) * frequency / rope.Factor) + (smooth * frequency);
    }

    private static void Yarn(RopeParameters rope, double[] frequencies)
    {
        double low = PairOfRotations(rope, rope.BetaFast);
        double high = PairOfRotations(rope, rope.BetaSlow);
        if (rope.Truncate) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        low = Math.Max(low, 0);
        high = Math.Min(high, rope.RotaryDim - 1);
        if (low == high) high += 0.001;
        for (int i = 0; i < frequencies.Length; i++)
        {
            double interpolated = Math.Clamp((i - low) / (high - low), 0, 1);
            frequencies[i] = (frequencies[i] / rope.Factor * interpolated) + (frequencies[i] * (1 - interpolated));
        }
    }

    // The (fractional) pair that makes this many rotations within the original length.
    private static double PairOfRotations(RopeParameters rope, double rotations) =>
        rope.RotaryDim * Math.Log(rope.OriginalMaxPositions / (rotations * 2 * Math.PI)) / (2 * Math.Log(rope.Theta));
}
