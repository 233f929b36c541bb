using System.Runtime.InteropServices;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// Copies checkpoint matrices into a GPU's memory as <see cref="HipWeightLayout"/> says, converting on the way: chunk by chunk through two buffers, so
/// that reading the file and converting go on while the chunk before is copied. One weight at a time.
/// </summary>
internal sealed class HipWeightPacker(HipGpu gpu) : IDisposable
{
    // A few milliseconds of copying; the caches hold a good part of it while it is converted.
    private const int ChunkBytes = 4 << 20;

    private readonly Lock _gate = new();
    private HipWeightStaging? _staging;
    private byte[] _rows = [];

    /// <exception cref="ArgumentException">A matrix that contradicts itself or those beside it.</exception>
    /// <exception cref="NotSupportedException">Elements or scales that no kernel reads.</exception>
    /// <exception cref="DeviceMemoryException">The GPU has no room.</exception>
    public PackedWeight Pack(in WeightSource source)
    {
        ReadOnlySpan<WeightSource> members = new(in source);
        HipWeightLayout layout = LayoutOf(members);
        AiterProduct? aiter = layout.IsShuffled ? gpu.AiterLinear.ProductOf(layout.OutputFeatures, layout.InputFeatures, out _) : null;
        return new HipPackedWeight(layout, PackMembers(layout, members)) { Aiter = aiter };
    }

    /// <exception cref="ArgumentException">Members of different shapes, or a matrix that contradicts itself or those beside it.</exception>
    /// <exception cref="NotSupportedException">Elements or scales that no kernel reads.</exception>
    /// <exception cref="DeviceMemoryException">The GPU has no room.</exception>
    public PackedWeightGroup PackGroup(ReadOnlySpan<WeightSource> members)
    {
        HipWeightLayout layout = LayoutOf(members);
        return new HipPackedWeightGroup(layout, PackMembers(layout, members));
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _staging?.Dispose();
            _staging = null;
        }
    }

    /// <summary>How weights are packed.</summary>
    public HipWeightLayout LayoutOf(ReadOnlySpan<WeightSource> members)
    {
        HipWeightLayout layout = HipWeightLayout.Of(members);
        return gpu.ShufflesWeights && HipShuffledRows.CanHold(members) ? layout.Shuffled() : layout;
    }

    private DeviceBuffer PackMembers(in HipWeightLayout layout, ReadOnlySpan<WeightSource> members)
    {
        DeviceBuffer buffer = gpu.Allocate(layout.SizeBytes);
        try
        {
            lock (_gate)
            {
                HipWeightStaging staging = StagingFor(layout);
                var memory = (MemoryHandle)buffer.Handle;
                long row = 0;
                for (int m = 0; m < members.Length; m++)
                {
                    foreach (ref readonly WeightMatrix part in members[m].Parts.Span)
                    {
                        Send(staging, memory, layout, part, row);
                        if (layout.ScaleRowBytes > 0) SendScales(staging, memory, layout, part, row);
                        row += part.Rows;
                        GC.KeepAlive(part.Owner);
                        GC.KeepAlive(part.Scales?.Owner);
                    }

                    if (members[m].Bias is { } bias)
                        Send(staging, memory, layout.BiasOffset + ((long)m * layout.OutputFeatures * sizeof(float)), MemoryMarshal.AsBytes<float>(bias));
                }

                staging.Flush();
            }

            return buffer;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    // A row fits a buffer, or what is shuffled together.
    private HipWeightStaging StagingFor(in HipWeightLayout layout)
    {
        int bytes = checked((int)Math.Max(ChunkBytes, layout.RowBytes * (layout.IsShuffled ? HipShuffledRows.Tile : 1)));
        if (_staging is { } staging && staging.BufferBytes >= bytes) return staging;
        _staging?.Dispose();
        _staging = null;
        return _staging = new HipWeightStaging(gpu.Native, bytes);
    }

    private void Send(HipWeightStaging staging, MemoryHandle memory, in HipWeightLayout layout, in WeightMatrix part, long firstRow)
    {
        int rowBytes = (int)layout.RowBytes, rows = staging.BufferBytes / rowBytes;
        if (layout.IsShuffled) rows -= rows % HipShuffledRows.Tile;
        if (layout.IsShuffled && _rows.Length < rowBytes * HipShuffledRows.Tile) _rows = new byte[rowBytes * HipShuffledRows.Tile];
        for (int done = 0; done < part.Rows; done += rows)
        {
            int count = Math.Min(rows, part.Rows - done);
            Span<byte> target = staging.Next(count * rowBytes);
            if (layout.IsShuffled) HipShuffledRows.Fill(part, done, count, target, _rows);
            else HipWeightRows.Fill(part, done, count, rowBytes, target);
            staging.Send(memory, (firstRow + done) * rowBytes, count * rowBytes);
        }
    }

    private static void SendScales(HipWeightStaging staging, MemoryHandle memory, in HipWeightLayout layout, in WeightMatrix part, long firstRow)
    {
        int rowsOfOne = layout.OutputFeatures / layout.ScaleRows, total = part.Rows / rowsOfOne;
        int rowBytes = (int)layout.ScaleRowBytes, rows = staging.BufferBytes / rowBytes;
        for (int done = 0; done < total; done += rows)
        {
            int count = Math.Min(rows, total - done);
            Span<byte> target = staging.Next(count * rowBytes);
            if (layout.IsShuffled) HipShuffledRows.FillScales(part, done, count, MemoryMarshal.Cast<byte, float>(target));
            else if (layout.Format == HipWeightFormat.F8) HipWeightRows.FillScales(part, done, count, MemoryMarshal.Cast<byte, float>(target));
            else HipWeightRows.FillExponents(part, done, count, target);
            staging.Send(memory, layout.ScalesOffset + (((firstRow / rowsOfOne) + done) * rowBytes), count * rowBytes);
        }
    }

    private static void Send(HipWeightStaging staging, MemoryHandle memory, long offset, ReadOnlySpan<byte> bytes)
    {
        for (int done = 0; done < bytes.Length; done += staging.BufferBytes)
        {
            int count = Math.Min(staging.BufferBytes, bytes.Length - done);
            bytes.Slice(done, count).CopyTo(staging.Next(count));
            staging.Send(memory, offset + done, count);
        }
    }
}
