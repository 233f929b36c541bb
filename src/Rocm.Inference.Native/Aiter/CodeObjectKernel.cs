namespace Rocm.Inference.Native.Aiter;

/// <summary>A kernel by its metadata. Sizes are as the file gives them, not checked.</summary>
/// <param name="Symbol">The name for hipModuleGetFunction.</param>
/// <param name="KernargBytes">Size of the arguments' segment.</param>
/// <param name="ArgumentsEnd">End of the last argument that is declared, padding too.</param>
/// <param name="ArgumentList">The arguments but for padding: "0:O/8 10:Q/8", offset in hexadecimal, name, size in bytes.</param>
/// <param name="LdsBytes">Static local memory of a block.</param>
/// <param name="ScratchBytes">Private memory of a thread.</param>
/// <param name="WaveSize">Lanes of a wave.</param>
/// <param name="Registers">Vector registers of a lane, matrix accumulators included.</param>
/// <param name="MaxThreads">Threads of a block at most.</param>
internal sealed record CodeObjectKernel(
    string Symbol, long KernargBytes, long ArgumentsEnd, string ArgumentList, long LdsBytes, long ScratchBytes, long WaveSize, long Registers, long MaxThreads);
