// IAttentionKernels.UnifiedAttention and PagedDecode: attention over the paged cache, and the merge of the partial results of split rows.
#include "paged_group.h"

// T: the activation type. CACHE: −1 for a cache of that type, else an Fp8 type. LAYOUT: a KvLayout. BLOCK: 16 where blocks are multiples of 16 tokens,
// else 1. DIM, VDIM: dims of K and of a slice of V. COLUMNS: tiles of 16 query columns of a group.
typedef PagedGroup<T, KvOf<T, CACHE>, LAYOUT, BLOCK, DIM, VDIM, COLUMNS> Group;

KERNEL(kPagedThreads) paged_attention(PagedAttentionArgs args) {
    __shared__ __attribute__((aligned(16))) Group::Lds lds;
    Group::run_group<false>(args, &lds);
}

KERNEL(kPagedThreads) reduce_units(PagedAttentionArgs args) {
    Group::run_group<true>(args, nullptr);
}
