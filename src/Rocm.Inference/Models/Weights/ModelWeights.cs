using System.Buffers.Binary;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Models.Weights;

/// <summary>
/// All tensors of a checkpoint: model.safetensors, or the shards of model.safetensors.index.json. Lookups check element type and
/// shape, and remember what was used, so that what is left over can be told. Owns the mappings.
/// </summary>
internal sealed class ModelWeights : ITensorSource, IDisposable
{
    private const int MaxValueBytes = 1 << 30;
    private readonly Dictionary<string, (SafetensorsFile File, TensorInfo Tensor)> _tensors = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly List<SafetensorsFile> _files = [];

    private ModelWeights(string path) => Path = path;

    private static ReadOnlySpan<DType> PlainFloats => [DType.F32, DType.F16, DType.BF16];

    private static ReadOnlySpan<DType> Float8 => [DType.F8E4M3Fn, DType.F8E4M3Fnuz, DType.F8E5M2];

    private static ReadOnlySpan<DType> ScaleFloats => [DType.F32, DType.BF16];

    /// <summary>The weight file or the shard index.</summary>
    public string Path { get; }

    /// <summary>Number of tensors.</summary>
    public int Count => _tensors.Count;

    /// <summary>Names of tensors that no lookup asked for, sorted.</summary>
    public IReadOnlyList<string> Unused => [.. _tensors.Keys.Where(name => !_used.Contains(name)).Order(StringComparer.Ordinal)];

    /// <summary>Opens the checkpoint of a folder.</summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <exception cref="ModelLoadException">There is no checkpoint, or it is damaged.</exception>
    public static ModelWeights Open(string folder)
    {
        string single = System.IO.Path.Combine(folder, "model.safetensors");
        string index = single + ".index.json";
        bool sharded = !File.Exists(single) && File.Exists(index);
        var weights = new ModelWeights(sharded ? index : single);
        try
        {
            if (sharded) weights.AddShards(folder, ShardIndex.Read(index));
            else if (File.Exists(single)) weights.Add(SafetensorsFile.Open(single));
            else throw NoCheckpoint(folder);
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>True when the checkpoint has the tensor.</summary>
    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>The tensor's description, or null.</summary>
    public TensorInfo? Find(string name) => _tensors.TryGetValue(name, out (SafetensorsFile File, TensorInfo Tensor) entry) ? entry.Tensor : null;

    /// <summary>A weight matrix of plain floats in mapped memory.</summary>
    /// <param name="name">Tensor name.</param>
    /// <param name="rows">Expected output features.</param>
    /// <param name="columns">Expected input features.</param>
    /// <exception cref="ModelLoadException">The tensor is missing or of another type or shape.</exception>
    public WeightMatrix Matrix(string name, int rows, int columns) => Matrix(name, rows, columns, PlainFloats);

    /// <inheritdoc/>
    public WeightMatrix ScaledMatrix(string name, int rows, int columns, int blockSize)
    {
        WeightMatrix matrix = Matrix(name, rows, columns, Float8);
        MappedTensor scales = Tensor(name + "_scale_inv", [Blocks(rows), Blocks(columns)], ScaleFloats);
        long stride = (long)Blocks(columns) * scales.DType.ByteSize();
        return matrix with { Scales = new WeightScales(scales.DType, scales.Address, stride, blockSize, blockSize, scales.Owner) };

        int Blocks(int length) => (int)(((long)length + blockSize - 1) / blockSize);
    }

    /// <inheritdoc/>
    public MappedTensor Tensor(string name, ReadOnlySpan<int> shape, params ReadOnlySpan<DType> types)
    {
        (SafetensorsFile file, TensorInfo tensor) = Use(name, types.IsEmpty ? PlainFloats : types, shape);
        return new MappedTensor(tensor.DType!.Value, file.AddressOf(tensor), file);
    }

    /// <inheritdoc/>
    public float[] Vector(string name, int length) => Values(name, length);

    /// <inheritdoc/>
    public unsafe float[] Values(string name, params ReadOnlySpan<int> shape)
    {
        (SafetensorsFile file, TensorInfo tensor) = Use(name, PlainFloats, shape);
        if (tensor.ByteCount > MaxValueBytes)
            throw new ModelLoadException("A tensor is too large for what it is.", file.Path, name, $"at most {MaxValueBytes} bytes", tensor.Description);
        var bytes = new ReadOnlySpan<byte>((void*)file.AddressOf(tensor), (int)tensor.ByteCount);
        var values = new float[tensor.ByteCount / tensor.DType!.Value.ByteSize()];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = tensor.DType switch
            {
                DType.F32 => BinaryPrimitives.ReadSingleLittleEndian(bytes[(4 * i)..]),
                DType.F16 => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]),
                _ => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]) << 16),
            };
        }

        GC.KeepAlive(file);
        return values;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files) file.Dispose();
    }

    private WeightMatrix Matrix(string name, int rows, int columns, ReadOnlySpan<DType> types)
    {
        MappedTensor tensor = Tensor(name, [rows, columns], types);
        return new WeightMatrix(name, tensor.DType, rows, columns, tensor.Address, (long)columns * tensor.DType.ByteSize(), tensor.Owner);
    }

    private (SafetensorsFile File, TensorInfo Tensor) Use(string name, ReadOnlySpan<DType> types, ReadOnlySpan<int> shape)
    {
        var expected = new long[shape.Length];
        for (int i = 0; i < shape.Length; i++) expected[i] = shape[i];
        if (!_tensors.TryGetValue(name, out (SafetensorsFile File, TensorInfo Tensor) entry))
            throw new ModelLoadException("The checkpoint lacks a tensor.", Path, name, TensorInfo.ShapeText(expected), "no such tensor");
        if (entry.Tensor.DType is not { } type || !types.Contains(type))
        {
            throw new ModelLoadException(
                "A tensor has an element type that is not supported here.", entry.File.Path, name, string.Join(", ", types.ToArray()), entry.Tensor.DTypeName);
        }

        if (!entry.Tensor.Shape.SequenceEqual(expected))
            throw new ModelLoadException("A tensor has another shape than the config says.", entry.File.Path, name, TensorInfo.ShapeText(expected), entry.Tensor.Description);
        _used.Add(name);
        return entry;
    }

    private void Add(SafetensorsFile file)
    {
        _files.Add(file);
        foreach (TensorInfo tensor in file.Tensors.Values)
        {
            if (!_tensors.TryAdd(tensor.Name, (file, tensor)))
            {
                throw new ModelLoadException(
                    "Two shards hold the same tensor.", file.Path, tensor.Name, "each tensor once", $"it is in {_tensors[tensor.Name].File.Path} too");
            }
        }
    }

    private void AddShards(string folder, ShardIndex index)
    {
        foreach ((string shard, IReadOnlyList<string> names) in index.Shards)
        {
            SafetensorsFile file = SafetensorsFile.Open(System.IO.Path.Combine(folder, shard));
            Add(file);
            string? absent = names.FirstOrDefault(name => !file.Tensors.ContainsKey(name));
            if (absent is not null)
                throw new ModelLoadException("A shard lacks a tensor that the index promises.", file.Path, absent, $"listed in {index.Path}", "no such tensor in the shard");
        }
    }

    private static ModelLoadException NoCheckpoint(string folder)
    {
        string[] others = Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder).Select(file => System.IO.Path.GetFileName(file)).Order(StringComparer.Ordinal).Take(10)]
            : [];
        return new ModelLoadException(
            "The folder has no safetensors checkpoint.", folder, expected: "model.safetensors or model.safetensors.index.json",
            found: others.Length == 0 ? "an empty or missing folder" : string.Join(", ", others));
    }
}
