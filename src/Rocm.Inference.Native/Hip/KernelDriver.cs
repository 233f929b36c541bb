namespace Rocm.Inference.Native.Hip;

/// <summary>Looks at the device nodes of the amdgpu kernel driver, to tell a machine without a GPU from one whose GPU may not be used.</summary>
internal sealed record KernelDriver
{
    /// <summary>The compute interface, one for all GPUs.</summary>
    internal string ComputeNode { get; init; } = "/dev/kfd";

    /// <summary>Folder of the render nodes, one per GPU.</summary>
    internal string RenderFolder { get; init; } = "/dev/dri";

    /// <summary>What WSL 2 has instead of all these.</summary>
    internal string WslNode { get; init; } = "/dev/dxg";

    /// <summary>Why no GPU can be reached, as sentences; empty when the nodes are there and may be opened, and off Linux.</summary>
    internal IEnumerable<string> FindProblems()
    {
        if (!OperatingSystem.IsLinux()) yield break;
        if (!File.Exists(ComputeNode))
        {
            if (!File.Exists(WslNode))
            {
                yield return $"{ComputeNode} does not exist: no AMD GPU, the amdgpu kernel driver is not loaded, " +
                    $"or the container was not given the device (--device {ComputeNode} --device {RenderFolder}).";
            }

            yield break;
        }

        foreach (string node in (string[])[ComputeNode, .. RenderNodes()])
        {
            if (OpenError(node) is { } error)
            {
                yield return $"{node} exists but cannot be opened by user '{Environment.UserName}' ({error}): " +
                    "add the user to the group that owns it (usually 'render' or 'video'), or give the container that group.";
            }
        }
    }

    private string[] RenderNodes()
    {
        try
        {
            return Directory.GetFiles(RenderFolder, "renderD*");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // Opening is the only test that a container's device rules take part in; the runtime opens the same node a moment later.
    private static string? OpenError(string node)
    {
        try
        {
            using var handle = File.OpenHandle(node, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return "permission denied";
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }
}
