#!/usr/bin/env bash
# `make bench`: builds the binary that is shipped, then measures it beside nginx (scripts/first_figures.py).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

cargo build --quiet --locked --profile dist --bin crs --bin fake-provider
exec python3 scripts/first_figures.py --bin-dir "$TARGET/dist" --nginx "$TOOLS/nginx/usr/sbin/nginx" "$@"
