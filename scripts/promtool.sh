#!/usr/bin/env bash
# Unpack Debian's promtool, which checks what leaves as metrics, into build/tools. Nothing of its package is installed
# or started. On GitHub it is also put on the PATH of the steps that follow.
set -euo pipefail
cd "$(dirname "$0")/.."

tools="$PWD/build/tools"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
mkdir -p "$tools"
"${as_root[@]}" apt-get update -qq
(cd "$tools" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb . && rm prometheus_*.deb)
if [ -n "${GITHUB_PATH:-}" ]; then
  echo "$tools/usr/bin" >> "$GITHUB_PATH"
fi
echo "$tools/usr/bin/promtool"
