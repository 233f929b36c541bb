using Rocm.Inference.Devices;

namespace Rocm.Inference.SelfTest;

/// <summary>
/// Owns what one check has on the device. Every tensor lies between guard bands that are looked at in the end, and results start as NaN, so that
/// a kernel which writes outside, or leaves something out, is seen.
/// </summary>
internal sealed class SelfTestLane : IDisposable
{
    private const int GuardBytes = 256;
    private const byte GuardByte = 0xA5;
    private readonly Stack<IDisposable> _owned = new();
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly byte[] _guard = new byte[GuardBytes];

    public SelfTestLane(IDevice device, ulong seed)
    {
        Device = device;
        AttentionKernels = device.AttentionKernels;
        Random = new SelfTestRandom(seed);
        _guard.AsSpan().Fill(GuardByte);
        Context = Own(device.CreateContext(64));
    }

    public IDevice Device { get; }

    /// <summary>The attention kernels that are checked: the device's own, unless others are to stand in for them.</summary>
    public IAttentionKernels AttentionKernels { get; init; }

    /// <summary>
    /// Slots of a cache that no token has are zero, as those of a fresh cache are, and not NaN: AITER's kernels multiply them by zero.
    /// </summary>
    public bool HasClearedCache { get; init; }

    public SelfTestRandom Random { get; }

    /// <summary>For copies; the op gets a context of its own with as much scratch as it asked for.</summary>
    public DeviceContext Context { get; }

    public DType Activation => Device.ActivationDType;

    /// <summary>Disposes something with this lane, the last one first.</summary>
    public T Own<T>(T resource)
        where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }

    /// <summary>A random tensor of the activation type on the host.</summary>
    public HostTensor Draw(params ReadOnlySpan<long> shape) => Random.Tensor(Activation, 1, shape);

    public TensorView Upload(HostTensor tensor)
    {
        DeviceBuffer buffer = Own(Device.Allocate(tensor.Bytes.Length + (2L * GuardBytes)));
        _buffers.Add(buffer);
        Context.Upload<byte>(_guard, new TensorView(buffer, 0, DType.U8, GuardBytes));
        if (tensor.Count > 0) Context.Upload<byte>(tensor.Bytes, new TensorView(buffer, GuardBytes, DType.U8, tensor.Bytes.Length));
        Context.Upload<byte>(_guard, new TensorView(buffer, GuardBytes + tensor.Bytes.Length, DType.U8, GuardBytes));
        return new TensorView(buffer, GuardBytes, tensor.DType, tensor.Shape);
    }

    /// <summary>A tensor as the front of wider rows, as the parts of a fused projection are; what lies between is NaN.</summary>
    public TensorView UploadStrided(HostTensor tensor, int gap)
    {
        long width = tensor.Shape[^1];
        HostTensor wide = HostTensor.Poisoned(tensor.DType, [.. tensor.Shape[..^1], width + gap]);
        for (long row = 0; row * width < tensor.Count; row++)
        {
            for (long i = 0; i < width; i++) wide.SetBits((row * (width + gap)) + i, tensor.GetBits((row * width) + i));
        }

        return Upload(wide).Slice(tensor.Shape.Length - 1, 0, width);
    }

    public TensorView Upload(float[] values) => Upload(HostTensor.Of(values, values.Length));

    public TensorView Upload(int[] values) => Upload(HostTensor.Of(values, values.Length));

    /// <summary>A result: NaN, and −1 in integers, until it is written.</summary>
    public TensorView Poison(DType dtype, params ReadOnlySpan<long> shape) => Upload(HostTensor.Poisoned(dtype, shape));

    /// <summary>Reads back a tensor that <see cref="Upload(HostTensor)"/> or <see cref="Poison"/> made.</summary>
    public HostTensor Download(TensorView view)
    {
        long[] shape = new long[view.Rank];
        for (int i = 0; i < shape.Length; i++) shape[i] = view.Dim(i);
        var tensor = new HostTensor(view.DType, shape);
        if (tensor.Count > 0) Context.Download(new TensorView(view.Buffer, view.ByteOffset, DType.U8, tensor.Bytes.Length), tensor.Bytes.AsSpan());
        return tensor;
    }

    /// <summary>Up to <paramref name="most"/> of [0, count): the first, the last and some between, for references that would take too long for all.</summary>
    public int[] Sample(int count, int most)
    {
        if (count <= most) return [.. Enumerable.Range(0, count)];
        HashSet<int> chosen = [0, count - 1];
        while (chosen.Count < most) chosen.Add(Random.Next(0, count));
        return [.. chosen.Order()];
    }

    /// <summary>What is wrong with the guard bands, or null.</summary>
    public string? FindOverrun()
    {
        byte[] bytes = new byte[GuardBytes];
        foreach (DeviceBuffer buffer in _buffers)
        {
            foreach (long offset in (ReadOnlySpan<long>)[0, buffer.SizeBytes - GuardBytes])
            {
                Context.Download(new TensorView(buffer, offset, DType.U8, GuardBytes), bytes.AsSpan());
                if (bytes.AsSpan().ContainsAnyExcept(GuardByte))
                    return $"it wrote {(offset == 0 ? "before" : "after")} a tensor of {buffer.SizeBytes - (2 * GuardBytes)} bytes";
            }
        }

        return null;
    }

    public void Dispose()
    {
        while (_owned.TryPop(out IDisposable? resource)) resource.Dispose();
    }
}
