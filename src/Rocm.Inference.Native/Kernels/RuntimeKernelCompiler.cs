using Rocm.Inference.Native.Hiprtc;

namespace Rocm.Inference.Native.Kernels;

/// <summary>hipRTC behind the cache: each source is compiled once per architecture, set of options and version of hipRTC.</summary>
internal sealed class RuntimeKernelCompiler(HiprtcCompiler compiler, CodeObjectCache cache)
{
    /// <summary>The code object of a source for an architecture.</summary>
    /// <param name="source">The translation unit.</param>
    /// <param name="architecture">"gfx1151", or with feature flags, as the device says.</param>
    /// <param name="options">Further options for the compiler.</param>
    /// <exception cref="HipException">It does not compile.</exception>
    internal byte[] Compile(HiprtcSource source, string architecture, IReadOnlyList<string> options)
    {
        var key = CodeObjectKey.Of(source, options, architecture, compiler.Version);
        return cache.GetOrCompile(key, () => compiler.Compile(source, [$"--offload-arch={architecture}", .. options], out _));
    }
}
