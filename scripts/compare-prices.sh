#!/bin/sh
# Prints where LiteLLM's prices differ from the built-in ones.
#
#     scripts/compare-prices.sh          fetches the litellm package with pip, without installing it
#     scripts/compare-prices.sh FILE     takes FILE as its table
set -eu
[ $# = 0 ] || set -- "$(realpath "$1")"
cd "$(dirname "$0")/.."
table=${1:-}
if [ -z "$table" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    pip download --quiet --no-deps litellm -d "$folder"
    table=$folder/table.json
    unzip -p "$folder"/litellm-*.whl litellm/model_prices_and_context_window_backup.json >"$table"
fi
cargo run --quiet -p relay --example compare_prices -- "$table"
