// Rows of experts as AITER's fused experts take them: tiles of one expert each, by the offsets and the order of sort_by_expert. A row is a token in its low 24
// bits and which of the token's choices in the 8 above; rows that only fill up an expert's last tile are (tokens, choices), with a weight of 0.
//
// Work: a thread for each row that there could be, 256 a group; every group counts the tiles before each expert. Rows beyond the last tile are not written.
// Bytes: offsets once a group, order and weights once, 8 bytes a row. LDS: 4 bytes an expert.
#include "../common/scan.h"

// Host: AiterExpertTiles.cs has the same fields.
struct TileExpertsArgs {
    const int* offsets;     // [E + 1]
    const int* order;       // [T · K]
    const float* weights;   // [T, K]
    int* rows;              // [tiles · tile_rows]
    float* row_weights;     // [tiles · tile_rows]
    int* tile_experts;      // [tiles]
    int* row_count;         // [1]: rows of all tiles
    i64 weights_stride;
    int num_experts, top_k, num_tokens, tile_rows;
};

constexpr int kTileThreads = 256;

extern __shared__ int first_tiles[];  // [E]

DEVICE int tiles_of(const TileExpertsArgs& args, int expert) {
    return (int)ceil_div(args.offsets[expert + 1] - args.offsets[expert], args.tile_rows);
}

KERNEL(kTileThreads) tile_experts(TileExpertsArgs args) {
    __shared__ u64 scratch[kTileThreads / kWave];
    int num = args.num_experts, thread = thread_index();

    // A thread has neighbouring experts.
    int per_thread = (int)ceil_div(num, kTileThreads), from = min_of(thread * per_thread, num), to = min_of(from + per_thread, num);
    u64 sum = 0, total;
    for (int e = from; e < to; e++) sum += (u64)tiles_of(args, e);
    int next = (int)group_prefix<kTileThreads>(sum, scratch, total);
    for (int e = from; e < to; e++) {
        first_tiles[e] = next;
        next += tiles_of(args, e);
    }
    group_barrier();
    if (group_x() == 0 && thread == 0) *args.row_count = (int)total * args.tile_rows;
    int place = group_x() * kTileThreads + thread, tile = place / args.tile_rows, row = place % args.tile_rows;
    if (tile >= (int)total) return;

    // The last expert whose first tile is not behind this one: those without rows have the first tile of the next.
    int expert = 0;
    for (int end = num; end - expert > 1;) {
        int middle = (expert + end) / 2;
        if (first_tiles[middle] <= tile) expert = middle;
        else end = middle;
    }
    int sorted = args.offsets[expert] + (tile - first_tiles[expert]) * args.tile_rows + row;
    int token = args.num_tokens, choice = args.top_k;
    float weight = 0;
    if (sorted < args.offsets[expert + 1]) {
        int assignment = args.order[sorted];
        token = assignment / args.top_k;
        choice = assignment % args.top_k;
        weight = args.weights[token * args.weights_stride + choice];
    }
    args.rows[place] = token | (choice << 24);
    args.row_weights[place] = weight;
    if (row == 0) args.tile_experts[tile] = expert;
}
