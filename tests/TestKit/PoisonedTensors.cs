using Rocm.Inference.Devices;

namespace Rocm.Inference.TestKit;

/// <summary>
/// Makes the tensors of a test on a device: every buffer starts as NaN (all bits set) and lies between guard bands that are checked at the end,
/// so that a kernel which leaves an element unwritten, reads an unused one or writes outside is seen.
/// </summary>
internal sealed class PoisonedTensors : IDisposable
{
    private const int GuardBytes = 256;
    private const byte GuardByte = 0xA5;
    private readonly List<DeviceBuffer> _buffers = [];

    public PoisonedTensors(IDevice device, long arenaBytes = 8 << 20)
    {
        Device = device;
        Context = device.CreateContext(arenaBytes);
    }

    public IDevice Device { get; }

    public DeviceContext Context { get; }

    /// <summary>A tensor whose every byte is 0xFF: NaN in all float types, −1 in integers.</summary>
    public TensorView Poison(DType dtype, params ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long d in shape) count *= d;
        long bytes = count * dtype.ByteSize();
        DeviceBuffer buffer = Device.Allocate(bytes + (2 * GuardBytes));
        _buffers.Add(buffer);
        var fill = new byte[bytes + (2 * GuardBytes)];
        fill.AsSpan().Fill(GuardByte);
        fill.AsSpan(GuardBytes, (int)bytes).Fill(0xFF);
        Upload<byte>(fill, buffer.View(DType.U8, fill.Length));
        return new TensorView(buffer, GuardBytes, dtype, shape);
    }

    /// <summary>The device's activation type.</summary>
    public DType Activation => Device.ActivationDType;

    /// <summary>What results in the activation type may be off by: the rounding of the result, besides that of fp32 arithmetic.</summary>
    public Tolerance Tolerance => ToleranceOf(Activation);

    /// <summary>What results of an element type may be off by.</summary>
    public static Tolerance ToleranceOf(DType dtype) => dtype switch
    {
        DType.BF16 => new Tolerance(1e-5, 0.008),
        DType.F16 => new Tolerance(1e-5, 0.001),
        _ => Tolerance.F32,
    };

    /// <summary>
    /// What results of attention may be off by: besides the rounding of the result, that of the probabilities before they are multiplied with V, whose errors
    /// are independent, of 2^−8 at most (bf16) and averaged as the values are: a few standard deviations of 2^−8 / √3 of the result's magnitude. Of 300 000 elements
    /// some are off by 0.011 of it; against a reference that rounds the probabilities as the kernels do, all are within <see cref="RoundedWeights"/>.
    /// </summary>
    public Tolerance AttentionTolerance => Activation switch
    {
        DType.BF16 => new Tolerance(1e-5, 0.016),
        DType.F16 => new Tolerance(1e-5, 0.002),
        _ => Tolerance.F32,
    };

    /// <summary>
    /// What bf16 results may be off by from a reference whose weights are rounded as the device's are: the rounding of the result, 2^−8, and now and then a weight
    /// between two neighbours that fp32 arithmetic puts on the other side.
    /// </summary>
    public static Tolerance RoundedWeights => new(1e-5, 0.005);

    /// <summary>Random values that the activation type holds exactly.</summary>
    public float[] Draw(TestRandom random, long count, double scale = 1) => Round(random.Floats(count, scale));

    /// <summary>The nearest values that the activation type holds.</summary>
    public float[] Round(float[] values) => Round(Device, values);

    /// <summary>The nearest values that a device's activation type holds.</summary>
    public static float[] Round(IDevice device, float[] values) => OracleNumbers.Round(device.ActivationDType, values);

    /// <summary>Element types of caches that a device reads and writes: those of the CPU, or its activation type and 8-bit floats.</summary>
    public static DType[] CacheTypes(IDevice device) => device.ActivationDType == DType.F32
        ? [DType.BF16, DType.F16, DType.F32, DType.F8E4M3Fn, DType.F8E4M3Fnuz, DType.F8E5M2]
        : [device.ActivationDType, DType.F8E4M3Fn, DType.F8E4M3Fnuz, DType.F8E5M2];

    /// <summary>A cache type, or where a device has none such its activation type.</summary>
    public static DType CacheType(IDevice device, DType dtype) => CacheTypes(device).Contains(dtype) ? dtype : device.ActivationDType;

    /// <summary>The values of a weight of 16 or 32 bits as the device keeps it: of the activation type, or exact on one whose activations are f32.</summary>
    public double[] Packed(double[] values) =>
        Activation == DType.F32 ? values : [.. values.Select(value => OracleNumbers.Decode(Activation, OracleNumbers.Encode(Activation, (float)value)))];

    /// <summary>A tensor of the activation type.</summary>
    public TensorView Activations(float[] values, params ReadOnlySpan<long> shape) => Of(Activation, values, shape);

    /// <summary>A tensor of a float type of 16 or 32 bits.</summary>
    public TensorView Of(DType dtype, float[] values, params ReadOnlySpan<long> shape) =>
        dtype == DType.F32 ? F32(values, shape) : Bits(dtype, [.. values.Select(value => OracleNumbers.Encode(dtype, value))], shape);

    /// <summary>A poisoned tensor of the activation type.</summary>
    public TensorView PoisonActivations(params ReadOnlySpan<long> shape) => Poison(Activation, shape);

    public TensorView F32(float[] values, params ReadOnlySpan<long> shape) => With(values, DType.F32, shape);

    public TensorView I32(int[] values, params ReadOnlySpan<long> shape) => With(values, DType.I32, shape);

    public TensorView I64(long[] values, params ReadOnlySpan<long> shape) => With(values, DType.I64, shape);

    /// <summary>A tensor of elements given by their bits.</summary>
    public TensorView Bits(DType dtype, uint[] bits, params ReadOnlySpan<long> shape) => dtype.ByteSize() switch
    {
        1 => With<byte>([.. bits.Select(b => (byte)b)], dtype, shape),
        2 => With<ushort>([.. bits.Select(b => (ushort)b)], dtype, shape),
        _ => With(bits, dtype, shape),
    };

    /// <summary>The bits of every element.</summary>
    public uint[] ReadBits(TensorView view)
    {
        return view.DType.ByteSize() switch
        {
            1 => [.. Download<byte>().Select(b => (uint)b)],
            2 => [.. Download<ushort>().Select(b => (uint)b)],
            _ => Download<uint>(),
        };

        T[] Download<T>()
            where T : unmanaged
        {
            var values = new T[view.Count];
            Context.Download(view, values.AsSpan());
            return values;
        }
    }

    public float[] Read(TensorView view)
    {
        if (view.DType != DType.F32) return [.. ReadBits(view).Select(bits => (float)OracleNumbers.Decode(view.DType, bits))];
        var values = new float[view.Count];
        Context.Download(view, values.AsSpan());
        return values;
    }

    /// <summary>Throws when a guard band was written.</summary>
    public void Verify()
    {
        Context.Synchronize();
        foreach (DeviceBuffer buffer in _buffers)
        {
            var bytes = new byte[buffer.SizeBytes];
            Context.Download(buffer.View(DType.U8, buffer.SizeBytes), bytes.AsSpan());
            int before = bytes.AsSpan(0, GuardBytes).IndexOfAnyExcept(GuardByte);
            int after = bytes.AsSpan(bytes.Length - GuardBytes).IndexOfAnyExcept(GuardByte);
            if (before >= 0 || after >= 0)
                throw new InvalidOperationException($"A kernel wrote outside of a buffer of {buffer.SizeBytes - (2 * GuardBytes)} bytes: {(before >= 0 ? $"{GuardBytes - before} bytes before" : $"{after} bytes after")} it.");
        }
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        Context.Dispose();
    }

    private TensorView With<T>(T[] values, DType dtype, ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        TensorView view = Poison(dtype, shape);
        Upload<T>(values, view);
        return view;
    }

    // Waits: tests run ops in contexts of their own, too.
    private void Upload<T>(ReadOnlySpan<T> values, TensorView view)
        where T : unmanaged
    {
        Context.Upload(values, view);
        Context.Synchronize();
    }
}
