#!/usr/bin/env bash
# Compiles the units of precompiled.txt, and for CDNA those of precompiled.cdna.txt, for one target into an archive that the assembly embeds (PrecompiledKernels.cs).
# Usage: precompile.sh TARGET ARCHIVE [LIST]. Needs clang++-19 and ld.lld-19 (Debian: clang-19, lld-19); the same input gives the same bytes.
set -euo pipefail
target=$1 archive=$(realpath -m "$2") lists=()
if [ $# -gt 2 ]; then lists=("$(realpath "$3")"); fi
cd "$(dirname "$0")"
if [ $# -le 2 ]; then lists=(precompiled.txt); if [[ $target == gfx9* ]]; then lists+=(precompiled.cdna.txt); fi; fi
command -v clang++-19 >/dev/null || { echo "precompile.sh: clang++-19 is needed (Debian: clang-19, lld-19); pack with -p:SkipKernels=true to go without." >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() {
  local target=$1 work=$2 file macros
  read -r file macros <<< "$3"
  local out="$work/${file%.hip}/${macros// /,}.co" options=()
  for macro in $macros; do options+=("-D$macro"); done
  mkdir -p "$(dirname "$out")"
  # The options of KernelLibrary.cs; what hipRTC adds itself stands first.
  clang++-19 -x hip --offload-arch="$target" --offload-device-only --no-gpu-bundle-output -nogpuinc -nogpulib -fuse-cuid=none \
    -std=c++17 -O3 -ffp-contract=fast -mcode-object-version=4 "${options[@]}" -o "$out" "$file"
}
export -f compile
grep -h -v -e '^#' -e '^$' "${lists[@]}" | xargs -d '\n' -P "$(nproc)" -I{} bash -c 'compile "$@"' _ "$target" "$work" {}
mkdir -p "$(dirname "$archive")"
tar -C "$work" --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=644 -cf - $(cd "$work" && find . -name "*.co" -printf "%P\n" | LC_ALL=C sort) | gzip -9n > "$archive"
