#!/usr/bin/env bash
# `make bench-admin`: builds the binary that is shipped, then asks its admin API with much in the records
# (crates/relay-bench/examples/admin.rs). Takes some minutes and 3 GB of the folder for temporary files.
#
#   make bench-admin ARGS="--write docs/performance.md"   also puts the table into the document
#   make bench-admin ARGS="--calls 200000"                a quick look
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

cargo build --quiet --locked --profile dist --bin crs
cargo build --quiet --locked --profile dist -p relay-bench --example admin
exec "$TARGET/dist/examples/admin" --crs "$TARGET/dist/crs" "$@"
