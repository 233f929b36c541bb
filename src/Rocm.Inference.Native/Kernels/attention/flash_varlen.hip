// flash_varlen_<activation>_<dims of K>_<dims of V>.
#include "flash_varlen.h"

#define FLASH(T, name, dim, v_dim)                                                                              \
    KERNEL(kAttentionThreads) flash_varlen_##name##_##dim##_##v_dim(FlashVarlenArgs args) {                     \
        __shared__ __attribute__((aligned(16))) u16 queries[kAttentionWaves * WaveQuery<dim>::kLdsElements + 8]; \
        flash_varlen<T, dim, v_dim>(args, queries);                                                             \
    }

#define FLASH_DIMS(T, name)      \
    FLASH(T, name, 64, 64)       \
    FLASH(T, name, 128, 128)     \
    FLASH(T, name, 192, 128)     \
    FLASH(T, name, 256, 256)

FLASH_DIMS(BF16, bf16)
FLASH_DIMS(F16, f16)
