namespace Rocm.Inference.Models;

/// <summary>The device memory of all small vectors of a model (norm weights, sinks, choice biases, cache scales): one buffer, handed out in slices, because a buffer each would cost a page each.</summary>
internal sealed class NormStorage : IDisposable
{
    private const int Alignment = 64;
    private readonly DeviceContext _context;
    private readonly DeviceBuffer _buffer;
    private long _used;

    /// <param name="context">Uploads through it.</param>
    /// <param name="bytes">The sum of <see cref="BytesOf"/> of all vectors.</param>
    public NormStorage(DeviceContext context, long bytes)
    {
        _context = context;
        _buffer = context.Device.Allocate(bytes);
    }

    /// <summary>Memory of one vector.</summary>
    public static long BytesOf(float[] vector) => (((long)vector.Length * sizeof(float)) + Alignment - 1) & ~(long)(Alignment - 1);

    /// <summary>Uploads a vector. [D] f32.</summary>
    public TensorView Add(float[] vector)
    {
        var view = new TensorView(_buffer, _used, DType.F32, vector.Length);
        _context.Upload<float>(vector, view);
        _used += BytesOf(vector);
        return view;
    }

    public void Dispose() => _buffer.Dispose();
}
