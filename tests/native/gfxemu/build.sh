#!/usr/bin/env bash
# Builds libamdhip64.so.6, libhiprtc.so.6 and gfxemu-listing, and prints the folder that holds them. A build is kept under the hash
# of its sources, compiler and processor, so that only a change builds again. Usage: build.sh [CACHE], default .cache beside this file.
set -euo pipefail
cd "$(dirname "$0")"
compiler=${CXX:-g++}
cache=${1:-$PWD/.cache}
flags=(-std=c++20 -O2 -ftree-vectorize -fvect-cost-model=dynamic -march=native -ffp-contract=off -frounding-math -fno-trapping-math -fno-math-errno -fPIC -fvisibility=hidden -Wall -Wextra -Werror -Wno-array-bounds)
hash=$( { cat build.sh src/* blas/*; "$compiler" --version; "$compiler" -march=native -Q --help=target; echo "${flags[*]}"; } | sha256sum | cut -c1-16)
out=$cache/$hash
if [ -e "$out/done" ]; then echo "$out"; exit 0; fi

mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9                                   # one build at a time
if [ -e "$out/done" ]; then echo "$out"; exit 0; fi
rm -rf "$out"
mkdir -p "$out/obj"

jobs=${GFXEMU_BUILD_JOBS:-$(nproc)}
# The headers cost more than the sources: the standard ones are compiled once, and what can share a unit does.
"$compiler" "${flags[@]}" -x c++-header src/standard.h -o "$out/obj/standard.h.gch"
cp src/standard.h "$out/obj/standard.h"
unit() { local name=$1; shift; printf '#include "%s.cpp"\n' "$@" > "$out/obj/$name.cpp"; }
unit hip hip_runtime stream_queue hip_error hip_device hip_memory hip_stream hip_graph hip_module control_api opcodes_gfx11
unit decoding decode decode_scalar decode_vector decode_memory opcodes opcodes_gfx9 memory_names print
unit running msgpack code_object device_memory address_space atomics numeric wave worker_pool launch executor valu modifiers
{ ls "$out"/obj/*.cpp src/ops_*.cpp src/hiprtc.cpp src/listing.cpp; } |
  xargs -P "$jobs" -I{} sh -c '"$0" "$@" -c "{}" -o "'"$out"'/obj/$(basename "{}" .cpp).o"' "$compiler" "${flags[@]}" -include "$out/obj/standard.h" -Isrc >&2
objects=$(ls "$out"/obj/*.o | grep -v -e '/listing\.o$' -e '/hiprtc\.o$')
# shellcheck disable=SC2086
"$compiler" -shared -Wl,-soname,libamdhip64.so.6 -o "$out/libamdhip64.so.6" $(echo "$objects") -pthread -ldl
"$compiler" -shared -Wl,-soname,libhiprtc.so.6 -o "$out/libhiprtc.so.6" "$out/obj/hiprtc.o" -pthread
# The same under a name of its own, for processes that also look for a real runtime.
# shellcheck disable=SC2086
"$compiler" -shared -Wl,-soname,libgfxemu.so -o "$out/libgfxemu.so" $(echo "$objects") -pthread -ldl
# shellcheck disable=SC2086
"$compiler" -o "$out/gfxemu-listing" "$out/obj/listing.o" $(echo "$objects") -pthread -ldl
# In a folder of its own: beside the runtime every session would find it.
mkdir -p "$out/blas"
"$compiler" "${flags[@]}" -shared -Wl,-soname,libhipblaslt.so.0 -o "$out/blas/libhipblaslt.so.0" blas/hipblaslt.cpp "$out/libamdhip64.so.6"
ln -sf libamdhip64.so.6 "$out/libamdhip64.so"
ln -sf libhiprtc.so.6 "$out/libhiprtc.so"
rm -rf "$out/obj"
touch "$out/done"
echo "$out"
