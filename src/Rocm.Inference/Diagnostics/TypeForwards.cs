using System.Runtime.CompilerServices;
using Rocm.Inference;

// The base exception lives beside the bindings so that HipException can derive from it; by name it belongs to this assembly too.
[assembly: TypeForwardedTo(typeof(RocmInferenceException))]
