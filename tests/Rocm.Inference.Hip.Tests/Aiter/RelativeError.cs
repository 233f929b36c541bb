namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>The length of the difference of two vectors by that of the expected one.</summary>
internal static class RelativeError
{
    internal static double Of(IEnumerable<double> expected, IEnumerable<float> found)
    {
        double difference = 0, length = 0;
        foreach ((double e, float f) in expected.Zip(found))
        {
            difference += (e - f) * (e - f);
            length += e * e;
        }

        return Math.Sqrt(difference / length);
    }
}
