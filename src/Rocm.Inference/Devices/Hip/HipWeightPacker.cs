using System.Runtime.InteropServices;
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

    /// <exception cref="ArgumentException">A matrix that contradicts itself or those beside it.</exception>
    /// <exception cref="NotSupportedException">Elements or scales that no kernel reads.</exception>
    /// <exception cref="DeviceMemoryException">The GPU has no room.</exception>
    public PackedWeight Pack(in WeightSource source)
    {
        ReadOnlySpan<WeightSource> members = new(in source);
        HipWeightLayout layout = HipWeightLayout.Of(members);
        return new HipPackedWeight(layout, PackMembers(layout, members));
    }

    /// <exception cref="ArgumentException">Members of different shapes, or a matrix that contradicts itself or those beside it.</exception>
    /// <exception cref="NotSupportedException">Elements or scales that no kernel reads.</exception>
    /// <exception cref="DeviceMemoryException">The GPU has no room.</exception>
    public PackedWeightGroup PackGroup(ReadOnlySpan<WeightSource> members)
    {
        HipWeightLayout layout = HipWeightLayout.Of(members);
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

    // A row fits a buffer.
    private HipWeightStaging StagingFor(in HipWeightLayout layout)
    {
        int bytes = checked((int)Math.Max(ChunkBytes, layout.RowBytes));
        if (_staging is { } staging && staging.BufferBytes >= bytes) return staging;
        _staging?.Dispose();
        _staging = null;
        return _staging = new HipWeightStaging(gpu.Native, bytes);
    }

    private static void Send(HipWeightStaging staging, MemoryHandle memory, in HipWeightLayout layout, in WeightMatrix part, long firstRow)
    {
        int rowBytes = (int)layout.RowBytes, rows = staging.BufferBytes / rowBytes;
        for (int done = 0; done < part.Rows; done += rows)
        {
            int count = Math.Min(rows, part.Rows - done);
            HipWeightRows.Fill(part, done, count, rowBytes, staging.Next(count * rowBytes));
            staging.Send(memory, (firstRow + done) * rowBytes, count * rowBytes);
        }
    }

    private static void SendScales(HipWeightStaging staging, MemoryHandle memory, in HipWeightLayout layout, in WeightMatrix part, long firstRow)
    {
        int rowBytes = (int)layout.ScaleRowBytes, rows = staging.BufferBytes / rowBytes;
        for (int done = 0; done < part.Rows; done += rows)
        {
            int count = Math.Min(rows, part.Rows - done);
            Span<byte> target = staging.Next(count * rowBytes);
            if (layout.Format == HipWeightFormat.F8) HipWeightRows.FillScales(part, done, count, MemoryMarshal.Cast<byte, float>(target));
            else HipWeightRows.FillExponents(part, done, count, target);
            staging.Send(memory, layout.ScalesOffset + ((firstRow + done) * rowBytes), count * rowBytes);
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
