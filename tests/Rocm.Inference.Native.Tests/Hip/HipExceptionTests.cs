namespace Rocm.Inference.Native.Tests.Hip;

public sealed class HipExceptionTests
{
    [Fact]
    public void The_message_says_call_device_name_code_and_text()
    {
        var error = new HipException(2, "hipErrorOutOfMemory", "out of memory", "hipMalloc", 1);
        Assert.Equal("hipMalloc failed on device 1: hipErrorOutOfMemory, code 2 (out of memory).", error.Message);
        Assert.Equal((2, "hipErrorOutOfMemory", "hipMalloc", 1), (error.Code, error.Name, error.Call, error.Device));
        Assert.IsAssignableFrom<RocmInferenceException>(error);
    }

    [Fact]
    public void A_text_that_only_repeats_the_name_is_left_out()
    {
        var error = new HipException(100, "hipErrorNoDevice", "hipErrorNoDevice", "hipInit", null);
        Assert.Equal("hipInit failed: hipErrorNoDevice, code 100.", error.Message);
    }
}
