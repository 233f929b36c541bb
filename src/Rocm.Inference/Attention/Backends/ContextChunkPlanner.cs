namespace Rocm.Inference.Attention.Backends;

/// <summary>One pass over cached context: consecutive rows, a stretch of context of each.</summary>
/// <param name="FirstRow">First row, counted from the first row of the plan.</param>
/// <param name="NumRows">Rows; each has at least one token of context here.</param>
/// <param name="FirstOffset">Where the chunk's NumRows + 1 key offsets begin in <see cref="ContextChunkPlanner.KeyOffsets"/>.</param>
/// <param name="FirstSpan">Where the chunk's NumRows entries begin in <see cref="ContextChunkPlanner.KeyPositions"/>.</param>
/// <param name="NumTokens">Tokens of context of all rows.</param>
/// <param name="MaxKeyLen">Most tokens of context of a row.</param>
internal readonly record struct ContextChunk(int FirstRow, int NumRows, int FirstOffset, int FirstSpan, int NumTokens, int MaxKeyLen);

/// <summary>
/// Divides the cached context of a step's extend rows into chunks that fit a workspace. The context of a row is cut into pieces of the workspace's
/// size, counted from the block of its first visible token, and pieces are packed in the order of rows while they fit; a chunk has at most one
/// piece of a row, so that only its first row can be a continuation. Where a row is cut, and so its result to the last bit, does not depend on the other
/// rows: a piece is never cut to fill a chunk, which costs at most one chunk more for every chunk. O(rows + pieces); no allocation after construction.
/// </summary>
internal sealed class ContextChunkPlanner
{
    private readonly ContextChunk[] _chunks;
    private readonly int[] _keyOffsets;
    private readonly int[] _keyPositions;
    private readonly int _blockSize;
    private int _numChunks;
    private int _numOffsets;
    private int _numSpans;

    /// <param name="maxNumRows">Most rows of a plan.</param>
    /// <param name="maxContextLen">Longest visible context of a row.</param>
    /// <param name="workspaceTokens">Tokens of context that fit the workspace.</param>
    /// <param name="blockSize">Tokens of a cache block; pieces are whole blocks, at least one, even if the workspace would be smaller.</param>
    public ContextChunkPlanner(int maxNumRows, int maxContextLen, int workspaceTokens, int blockSize)
    {
        _blockSize = blockSize;
        ChunkTokens = AlignedTokens(workspaceTokens, blockSize);

        // A window's first visible token may lie inside a block: up to a block more is between it and the block's start.
        int pieces = checked((int)(((long)maxContextLen + blockSize + ChunkTokens - 1) / ChunkTokens) * maxNumRows);
        _chunks = new ContextChunk[pieces];
        _keyPositions = new int[pieces];
        _keyOffsets = new int[checked(2 * pieces)];
    }

    /// <summary>Most tokens of a chunk and of a piece.</summary>
    public int ChunkTokens { get; }

    /// <summary>Most entries of <see cref="KeyOffsets"/>.</summary>
    public int MaxNumOffsets => _keyOffsets.Length;

    /// <summary>Most entries of <see cref="KeyPositions"/>.</summary>
    public int MaxNumSpans => _keyPositions.Length;

    /// <summary>The chunks of the last plan, in the order in which they run: the pieces of each row come in the order of their positions.</summary>
    public ReadOnlySpan<ContextChunk> Chunks => _chunks.AsSpan(0, _numChunks);

    /// <summary>Per chunk NumRows + 1 offsets of the rows' keys in the workspace.</summary>
    public ReadOnlySpan<int> KeyOffsets => _keyOffsets.AsSpan(0, _numOffsets);

    /// <summary>Per chunk and row the absolute position of the first key.</summary>
    public ReadOnlySpan<int> KeyPositions => _keyPositions.AsSpan(0, _numSpans);

    /// <summary>Tokens of a workspace, in whole blocks.</summary>
    public static int AlignedTokens(int workspaceTokens, int blockSize) => Math.Max(blockSize, workspaceTokens / blockSize * blockSize);

    /// <summary>Plans one step.</summary>
    /// <param name="contextLens">Tokens of each row that are in the cache before the step.</param>
    /// <param name="window">W, or <see cref="int.MaxValue"/>: only what the first new token of a row still sees is visited.</param>
    public void Plan(ReadOnlySpan<int> contextLens, int window)
    {
        _numChunks = 0;
        _numOffsets = 0;
        _numSpans = 0;
        var open = new ContextChunk(0, 0, 0, 0, 0, 0);
        for (int row = 0; row < contextLens.Length; row++)
        {
            int end = contextLens[row];
            int start = (int)Math.Max(0L, end - (long)window + 1);
            int cut = start / _blockSize * _blockSize;
            while (start < end)
            {
                cut = (int)Math.Min(end, cut + (long)ChunkTokens);
                bool joins = open.NumRows > 0 && open.FirstRow + open.NumRows == row && open.NumTokens + (cut - start) <= ChunkTokens;
                if (!joins)
                {
                    Close(open);
                    open = new ContextChunk(row, 0, _numOffsets, _numSpans, 0, 0);
                    _keyOffsets[_numOffsets++] = 0;
                }

                _keyPositions[_numSpans++] = start;
                open = open with { NumRows = open.NumRows + 1, NumTokens = open.NumTokens + (cut - start), MaxKeyLen = Math.Max(open.MaxKeyLen, cut - start) };
                _keyOffsets[_numOffsets++] = open.NumTokens;
                start = cut;
            }
        }

        Close(open);
    }

    private void Close(in ContextChunk chunk)
    {
        if (chunk.NumRows > 0) _chunks[_numChunks++] = chunk;
    }
}
