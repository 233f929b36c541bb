using System.Collections.Concurrent;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Kernels;

/// <summary>The instances of one kernel, found by a value instead of by text so that a launch allocates nothing.</summary>
/// <typeparam name="TInstance">What tells instances apart.</typeparam>
/// <param name="library">Where the code comes from.</param>
/// <param name="file">Source of the kernel below Kernels.</param>
/// <param name="kernel">Its name.</param>
/// <param name="argumentBytes">Size of its argument struct.</param>
/// <param name="macros">The macros of an instance, see <see cref="KernelUnit.Macros"/>.</param>
internal sealed class KernelSet<TInstance>(KernelLibrary library, string file, string kernel, int argumentBytes, Func<TInstance, string> macros)
    where TInstance : struct, IEquatable<TInstance>
{
    private readonly ConcurrentDictionary<TInstance, HipFunction> _functions = new();

    /// <summary>The kernel of an instance; compiled at the first use.</summary>
    internal HipFunction this[TInstance instance] => _functions.TryGetValue(instance, out HipFunction? function) ? function : Load(instance);

    private HipFunction Load(TInstance instance)
    {
        HipFunction function = library.Get(new KernelUnit(file, macros(instance)), kernel, argumentBytes);
        _functions[instance] = function;
        return function;
    }
}
