#!/usr/bin/env bash
# Builds libamdhip64.so.6, libhiprtc.so.6 and libhipblaslt.so.0 over CUDA's driver, clang and cuBLASLt, and prints the folder to name in ROCM_PATH: its lib holds them. Usage: build.sh [CACHE], default .cache beside this file.
set -euo pipefail
cd "$(dirname "$0")"
compiler=${CXX:-g++}
cache=${1:-$PWD/.cache}
flags=(-std=c++20 -O2 -fPIC -fvisibility=hidden -Wall -Wextra -Werror)
hash=$( { cat build.sh src/* blas/* ../gfxemu/src/hiprtc.cpp ../gfxemu/src/hiprtc_prelude.h; "$compiler" --version; } | sha256sum | cut -c1-16)
out=$cache/$hash
if [ -e "$out/done" ]; then echo "$out"; exit 0; fi
mkdir -p "$out/lib"
"$compiler" "${flags[@]}" -shared -Wl,-soname,libamdhip64.so.6 -o "$out/lib/libamdhip64.so.6" src/*.cpp -ldl -pthread
"$compiler" "${flags[@]}" -shared -Wl,-soname,libhiprtc.so.6 -o "$out/lib/libhiprtc.so.6" ../gfxemu/src/hiprtc.cpp -pthread
"$compiler" "${flags[@]}" -shared -Wl,-soname,libhipblaslt.so.0 -o "$out/lib/libhipblaslt.so.0" blas/hipblaslt.cpp -ldl -pthread
touch "$out/done"
echo "$out"
