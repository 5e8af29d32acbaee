#!/usr/bin/env bash
# `make bench`: builds the binary that is shipped, then measures it beside nginx (crates/relay-bench).
#
#   make bench ARGS="--write docs/performance.md"   also puts the figures into the document
#   make bench ARGS="--quick"                       one short round, to see that it works
#   make bench ARGS="--only unary"                  one kind of measurement
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

cargo build --quiet --locked --profile dist --bin crs --bin fake-provider --bin relay-bench
# The counting of instructions builds its own, with the symbols that valgrind needs.
export GUNGRAUN_RUNNER="$TOOLS/bin/gungraun-runner"
exec "$TARGET/dist/relay-bench" --bin-dir "$TARGET/dist" --nginx "$TOOLS/nginx/usr/sbin/nginx" "$@"
