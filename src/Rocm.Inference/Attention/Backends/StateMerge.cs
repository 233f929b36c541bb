using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>Adds a partial result to what some tokens have so far.</summary>
internal static class StateMerge
{
    /// <param name="context">Where it runs.</param>
    /// <param name="kernels">The device's primitives.</param>
    /// <param name="output">[T, H, Dv]: the tokens' results so far.</param>
    /// <param name="lse">[H, T] f32.</param>
    /// <param name="partial">[T, H, Dv]: what is added.</param>
    /// <param name="partialLse">[H, T] f32.</param>
    /// <param name="firstToken">First of the tokens.</param>
    /// <param name="numTokens">How many.</param>
    public static void Into(
        DeviceContext context, IAttentionKernels kernels, TensorView output, TensorView lse, TensorView partial, TensorView partialLse, int firstToken, int numTokens)
    {
        TensorView outputs = output.Slice(0, firstToken, numTokens), lses = lse.Slice(1, firstToken, numTokens);
        kernels.MergeStates(context, new MergeStatesArgs
        {
            OutputA = outputs,
            LseA = lses,
            OutputB = partial.Slice(0, firstToken, numTokens),
            LseB = partialLse.Slice(1, firstToken, numTokens),
            Output = outputs,
            Lse = lses,
        });
    }
}
