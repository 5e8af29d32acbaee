#!/usr/bin/env bash
# `make check`: everything that can be said of the code without running it. All steps run, whatever fails on the way.
# VERBOSE=1 shows the whole output of each step.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
export CARGO_TERM_COLOR=never

each_crate_alone() { # features of one crate must not hide what another forgot to ask for
    local crate
    for crate in crates/*/; do
        cargo check --quiet --locked -p "$(basename "$crate")" || return 1
    done
}

unused_dependencies() { # one line each instead of a picture
    local found status=0
    found=$("$TOOLS/bin/cargo-shear" --locked --deny-warnings --format=github 2>&1) || status=$?
    printf '%s\n' "$found" | sed -E 's/^::(error|warning) (file=([^,]*),line=([0-9]+)[^:]*)?[^:]*::/\3:\4: /; /^::group|^::endgroup/d'
    return $status
}

sizes_and_texts() {
    "$TOOLS/venv/bin/python" scripts/check_sources.py
}

alerts() { # read by Prometheus' own tool, and tried out
    local tool
    tool=$(find_promtool) || return 1
    (cd deploy/prometheus && "$tool" check rules crs.rules.yml && "$tool" test rules crs.rules.test.yml)
}

watched_metrics() {
    "$TOOLS/venv/bin/python" scripts/check_metrics.py "$(find_promtool)"
}

notes() { # what is worth a look but fails nothing
    "$TOOLS/venv/bin/python" scripts/check_sources.py | sed -n 's/^note: /      note: /p'
}

step "format (cargo fmt)" cargo fmt --all --check -- --color never
step "sizes of files, forbidden texts, snapshots" sizes_and_texts
notes || true
step "alerts and their tests (promtool)" alerts
step "dashboard and alerts ask for metrics that exist" watched_metrics
page_types() { # what the page knows of the API is what the API says of itself
    local fresh
    fresh=$(mktemp)
    (cd web && npx --no-install openapi-typescript ../docs/openapi.json -o "$fresh" >/dev/null) || return 1
    diff -q "$fresh" web/src/api/schema.d.ts >/dev/null || {
        echo "web/src/api/schema.d.ts is old: cd web && npm run types"
        return 1
    }
}

step "web page: style, types (biome, tsc)" npm --prefix web run --silent check
step "web page: the API's types are of docs/openapi.json" page_types
step "spelling (typos)" "$TOOLS/bin/typos" --config .config/typos.toml
step "dependencies: licences, duplicates, sources (cargo deny)" \
    "$TOOLS/bin/cargo-deny" --locked --log-level error check bans licenses sources
step "dependencies that nobody uses (cargo shear)" unused_dependencies
step "lints, all targets (cargo clippy)" cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
step "each crate alone (cargo check -p)" each_crate_alone
step "documentation, private items too (rustdoc)" \
    env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --workspace --no-deps --document-private-items
finish_steps
