using System.Diagnostics;
using Rocm.Inference.Models;
using Rocm.Inference.Models.Weights;
using Xunit;

namespace Rocm.Inference.Tests.Models;

/// <summary>Things in a model folder that are no regular files.</summary>
public sealed class SpecialFileTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory(Timeout = 10_000)]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    public async Task A_pipe_is_refused_without_waiting_for_its_writer(string name)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs mkfifo.");
        using (Process process = Process.Start("mkfifo", _folder.File(name))!) await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        await Task.Run(() => Assert.Throws<ModelLoadException>(Open), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    public void A_folder_in_place_of_a_file_is_refused(string name)
    {
        Directory.CreateDirectory(_folder.File(name));

        Assert.Throws<ModelLoadException>(Open);
    }

    private void Open()
    {
        if (File.Exists(_folder.File("config.json")) || Directory.Exists(_folder.File("config.json"))) ModelFolder.Open(_folder.Path);
        else ModelWeights.Open(_folder.Path).Dispose();
    }
}
