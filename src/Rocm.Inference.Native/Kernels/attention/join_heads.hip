// y[t, h, :] = [a[t, h, :], b[t, h, :]]: heads that lie in two parts as one (a query's and key's rotated part behind the other), for kernels that want them so.
//
// Work: 16 bytes a thread, in groups of 256 threads over all of y. Bytes: each operand once, y once.
#include "../common/wave.h"

constexpr int kJoinThreads = 256;

// Host: JoinHeads.cs has the same fields. Strides and dims in elements of 16 bits, multiples of 8.
struct JoinHeadsArgs {
    const u16* a;
    const u16* b;
    u16* y;                                // [T, H, a_dim + b_dim], dense
    i64 a_token_stride, a_head_stride, b_token_stride, b_head_stride;   // b_head_stride 0: one for all heads
    i64 num_vectors;
    int num_heads, a_dim, b_dim, unused;
};

KERNEL(kJoinThreads) join_heads(JoinHeadsArgs args) {
    i64 item = (i64)group_x() * kJoinThreads + thread_index();
    if (item >= args.num_vectors) return;
    int width = (args.a_dim + args.b_dim) / 8;
    int c = (int)(item % width) * 8;
    i64 row = item / width, token = row / args.num_heads, head = row % args.num_heads;
    const u16* source = c < args.a_dim ? args.a + token * args.a_token_stride + head * args.a_head_stride + c
                                       : args.b + token * args.b_token_stride + head * args.b_head_stride + (c - args.a_dim);
    store16(args.y + item * 8, load16(source));
}
