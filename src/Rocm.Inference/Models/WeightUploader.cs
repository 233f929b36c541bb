using Rocm.Inference.Devices;
using Rocm.Inference.Layers;

namespace Rocm.Inference.Models;

/// <summary>
/// Puts a model's weights on a device one after the other and keeps account: bytes, progress, whether the checkpoint must stay mapped. Owns what it
/// has packed until <see cref="HandOver"/>.
/// </summary>
internal sealed class WeightUploader : IDisposable
{
    private readonly IDevice _device;
    private readonly DecoderParts _parts;
    private readonly DecoderSpec _spec;
    private readonly IProgress<WeightLoadProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly long _totalBytes;
    private readonly List<IDisposable> _pending = [];
    private long _doneBytes;

    public WeightUploader(
        DecoderPlan plan, IDevice device, DecoderParts parts, IProgress<WeightLoadProgress>? progress, CancellationToken cancellationToken)
    {
        _device = device;
        _parts = parts;
        _spec = plan.Config.Decoder;
        _progress = progress;
        _cancellationToken = cancellationToken;
        _totalBytes = plan.MatrixBytes;
    }

    /// <summary>True when a packed weight reads the mapped checkpoint in place.</summary>
    public bool SharesSource { get; private set; }

    /// <summary>Packs one weight.</summary>
    public PackedWeight Pack(in WeightSource source)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        PackedWeight packed = _device.Pack(source);
        Account(packed, packed.SizeBytes, packed.SharesSource, DecoderSources.BytesOf(source));
        return packed;
    }

    /// <summary>Packs several weights of one shape.</summary>
    public PackedWeightGroup PackGroup(WeightSource[] members)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        PackedWeightGroup packed = _device.PackGroup(members);
        Account(packed, packed.SizeBytes, packed.SharesSource, members.Sum(member => DecoderSources.BytesOf(member)));
        return packed;
    }

    /// <summary>The experts of a layer as one op, or null.</summary>
    public IFusedExperts? FuseExperts(MoeSpec spec, MoeSources sources) => sources.Fuse(spec, _device, out _);

    public Linear Linear(in WeightSource source) => new(Pack(source));

    public RmsNorm Norm(float[] weight) => Norm(weight, _spec.Dimensions.RmsNormEps);

    public RmsNorm Norm(float[] weight, float eps) => new(_parts.Norms!.Add(weight), eps, _spec.NormOffset);

    public RmsNorm? OptionalNorm(float[]? weight) => weight is null ? null : Norm(weight);

    /// <summary>Uploads a vector; absent when null.</summary>
    public TensorView Vector(float[]? values) => values is null ? default : _parts.Norms!.Add(values);

    /// <summary>Everything packed so far has an owner.</summary>
    public void HandOver() => _pending.Clear();

    /// <summary>Releases what was packed and not handed over.</summary>
    public void Dispose()
    {
        foreach (IDisposable packed in _pending) packed.Dispose();
        _pending.Clear();
    }

    private void Account(IDisposable packed, long residentBytes, bool sharesSource, long sourceBytes)
    {
        _pending.Add(packed);
        SharesSource |= sharesSource;
        _parts.ResidentBytes += residentBytes;
        _doneBytes += sourceBytes;
        _progress?.Report(new WeightLoadProgress(_doneBytes, _totalBytes));
    }
}
