namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>With the option "lazy": work runs when somebody waits for it, as far as that takes and no further.</summary>
[Collection(GfxEmulator.Collection)]
public sealed unsafe class StreamOrderTests(GfxEmulator device)
{
    private const int NotReady = 600, IllegalAddress = 700, ToDevice = 1, ToHost = 2;

    [Fact]
    public void Work_has_not_run_before_its_stream_is_waited_for()
    {
        using var work = new Work(device);
        work.Copy(work.First, work.Memory, ToDevice);
        work.Copy(work.First, work.Memory, ToHost);
        work.Source[0] = 2;
        Assert.Equal(0, work.Result[0]);
        work.Ok("hipStreamSynchronize", work.First);
        Assert.Equal(2, work.Result[0]);
        Assert.Equal(2ul, device.Counters()[20]);
    }

    [Fact]
    public void Waiting_for_an_event_runs_what_came_before_it_and_no_more()
    {
        using var work = new Work(device);
        work.Copy(work.First, work.Memory, ToDevice);
        work.Ok("hipEventRecord", work.Event, work.First);
        work.Copy(work.First, work.Memory, ToHost);
        work.Ok("hipEventSynchronize", work.Event);
        work.Source[0] = 2;
        Assert.Equal(0, work.Result[0]);
        work.Ok("hipDeviceSynchronize");
        Assert.Equal(1, work.Result[0]);
    }

    [Fact]
    public void A_stream_that_waits_for_an_event_of_another_runs_that_one_first()
    {
        using var work = new Work(device);
        work.Copy(work.First, work.Memory, ToDevice);
        work.Ok("hipEventRecord", work.Event, work.First);
        work.Ok("hipStreamWaitEvent", work.Second, work.Event);
        work.Copy(work.Second, work.Memory, ToHost);
        work.Ok("hipStreamSynchronize", work.Second);
        Assert.Equal(1, work.Result[0]);
    }

    [Fact]
    public void Who_asks_again_and_again_sees_it_done()
    {
        using var work = new Work(device);
        work.Copy(work.First, work.Memory, ToDevice);
        work.Copy(work.First, work.Memory, ToHost);
        Assert.Equal(NotReady, work.Call("hipStreamQuery", work.First));
        Assert.Equal(0, work.Call("hipStreamQuery", work.First));
        Assert.Equal(1, work.Result[0]);
    }

    [Fact]
    public void Memory_that_is_freed_in_a_stream_is_there_for_what_came_before_in_it_and_lost_to_another_that_does_not_wait()
    {
        using var work = new Work(device);
        nint memory = work.Allocate();
        work.Copy(work.First, memory, ToDevice);
        work.Ok("hipFreeAsync", memory, work.First);
        work.Ok("hipStreamSynchronize", work.First);

        memory = work.Allocate();
        work.Copy(work.Second, memory, ToDevice);
        work.Ok("hipFreeAsync", memory, work.First);
        work.Ok("hipStreamSynchronize", work.First);
        Assert.Equal(IllegalAddress, work.Call("hipStreamSynchronize", work.Second));
        device.Set("reset", "1");
    }

    /// <summary>Two streams that are apart from the null stream, an event, an integer of device memory and two of pinned memory: 1 and 0.</summary>
    private sealed class Work : IDisposable
    {
        private readonly GfxEmulator _device;

        public Work(GfxEmulator device)
        {
            const int NonBlocking = 1;
            _device = device;
            device.Reset("gfx942");
            device.Set("lazy", "1");
            nint value;
            for (int i = 0; i < 2; i++)
            {
                Assert.Equal(0, ((delegate* unmanaged<nint*, uint, int>)device.Export("hipStreamCreateWithFlags"))(&value, NonBlocking));
                if (i == 0) First = value;
                else Second = value;
            }

            Ok("hipEventCreate", (nint)(&value));
            Event = value;
            Memory = Allocate();
            Assert.Equal(0, ((delegate* unmanaged<nint*, nuint, uint, int>)device.Export("hipHostMalloc"))(&value, 2 * sizeof(int), 0));
            Source = (int*)value;
            (Source[0], Source[1]) = (1, 0);
        }

        public nint First { get; }

        public nint Second { get; }

        public nint Event { get; }

        public nint Memory { get; }

        public int* Source { get; }

        public int* Result => Source + 1;

        public nint Allocate()
        {
            nint memory;
            Assert.Equal(0, ((delegate* unmanaged<nint*, nuint, int>)_device.Export("hipMalloc"))(&memory, sizeof(int)));
            return memory;
        }

        public void Copy(nint stream, nint memory, int direction)
        {
            nint to = direction == ToDevice ? memory : (nint)Result, from = direction == ToDevice ? (nint)Source : memory;
            Assert.Equal(0, ((delegate* unmanaged<nint, nint, nuint, int, nint, int>)_device.Export("hipMemcpyAsync"))(to, from, sizeof(int), direction, stream));
        }

        public void Ok(string function, nint a = 0, nint b = 0) => Assert.Equal(0, Call(function, a, b));

        public int Call(string function, nint a = 0, nint b = 0) => ((delegate* unmanaged<nint, nint, nint, int>)_device.Export(function))(a, b, 0);

        public void Dispose()
        {
            Ok("hipStreamDestroy", First);
            Ok("hipStreamDestroy", Second);
            Ok("hipEventDestroy", Event);
            Ok("hipFree", Memory);
            Ok("hipHostFree", (nint)Source);
            _device.Set("lazy", "0");
        }
    }
}
