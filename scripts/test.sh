#!/usr/bin/env bash
# `make test`: the Rust tests, the examples in the documentation, the web page, and the real clients.
#
#   scripts/test.sh                    all of it
#   scripts/test.sh rust [FILTER…]     the Rust tests alone (arguments of cargo nextest run)
#   scripts/test.sh web [FILTER]       the web page alone: its own tests, its size, and in a browser
#   scripts/test.sh clients [FILTER]   the real clients alone (arguments of tests/clients/run.py)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

# Snapshots must match to the letter, and nothing is written while testing.
export INSTA_UPDATE=no INSTA_REQUIRE_FULL_MATCH=1

rust_tests() {
    "$TOOLS/bin/cargo-nextest" nextest run --locked --workspace --profile "${NEXTEST_PROFILE:-default}" "$@"
}

unreferenced_snapshots() { # the snapshots that no test looked at: run after all tests
    comm -13 <(sort -u "$INSTA_SNAPSHOT_REFERENCES_FILE") \
        <(find "$PWD/crates" -name '*.snap' -not -path '*/target/*' | sort -u)
}

all_rust_tests() {
    local left
    INSTA_SNAPSHOT_REFERENCES_FILE=$(mktemp)
    export INSTA_SNAPSHOT_REFERENCES_FILE
    rust_tests
    left=$(unreferenced_snapshots)
    rm -f "$INSTA_SNAPSHOT_REFERENCES_FILE"
    unset INSTA_SNAPSHOT_REFERENCES_FILE
    [ -z "$left" ] || die "snapshots that no test uses; delete them:" "$left"
}

doc_tests() {
    cargo test --quiet --locked --workspace --doc
}

client_tests() {
    cargo build --quiet --locked --workspace --bins
    "$TOOLS/clients/bin/python" tests/clients/run.py --bin-dir "$TARGET/debug" "$@"
}

web_tests() {
    npm --prefix web run --silent test
    WEBUI=require cargo build --quiet --locked --workspace --bins
    npm --prefix web run --silent sizes
    CRS_BIN_DIR=$TARGET/debug CHROMIUM=$(find_chromium) node web/browser/run.mjs "$@"
}

part=${1:-all}
[ $# = 0 ] || shift
case "$part" in
all)
    all_rust_tests
    doc_tests
    web_tests
    client_tests
    ;;
rust) rust_tests "$@" ;;
web) web_tests "$@" ;;
clients) client_tests "$@" ;;
*) die "usage: scripts/test.sh [rust|web|clients] [FILTER…]" ;;
esac
