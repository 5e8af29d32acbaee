#!/usr/bin/env bash
# Runs the fuzz targets of relay-wire (crates/relay-wire/fuzz), one after another.
#
#   scripts/fuzz.sh                  every target, ten minutes each
#   scripts/fuzz.sh 60 sse peek      some of them, a minute each
#
# What was found to be of interest stays in target/fuzz/corpus, and the next run begins with it; inputs that fail are
# in target/fuzz/failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

FUZZ=crates/relay-wire/fuzz
GOLDEN=crates/relay-wire/tests/golden
STATE=$TARGET/fuzz
SECONDS_EACH=${1:-600}
shift $(($# > 0))
case "$SECONDS_EACH" in
'' | *[!0-9]*) die "the first argument is how many seconds each target runs" ;;
esac
targets=("$@")
[ $# != 0 ] || mapfile -t targets < <(basename -s .rs "$FUZZ"/fuzz_targets/*.rs)
for target in "${targets[@]}"; do
    [ -f "$FUZZ/fuzz_targets/$target.rs" ] || die "there is no fuzz target \`$target\`"
done
command -v c++ >/dev/null || die "libFuzzer is C++ and there is no compiler for it" "apt-get install g++"

build() { # libFuzzer without sanitizers: its marks in the code are all that it needs, and stable Rust can make those
    local marks flags="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module"
    for marks in level=4 inline-8bit-counters pc-table trace-compares; do
        flags+=" -Cllvm-args=-sanitizer-coverage-$marks"
    done
    # With a target, programs that run while others are built are not marked.
    HOST=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS=$flags CARGO_TARGET_DIR=$STATE/build cargo build --quiet --release \
        --manifest-path "$FUZZ/Cargo.toml" --target "$HOST"
}

seed() { # seed TARGET CHOICES FILE...: the first byte of an input is what its target chooses by
    local target=$1 choices=$2 file at
    shift 2
    mkdir -p "$STATE/corpus/$target"
    for file in "$@"; do
        for ((at = 0; at < ${#choices}; at++)); do
            { printf %s "${choices:at:1}" && cat "$file"; } \
                >"$STATE/corpus/$target/$(printf %s "$file" | tr / -)-${choices:at:1}"
        done
    done
}

seeds() {
    local protocol golden
    seed sse '*' "$GOLDEN"/*/*.sse "$GOLDEN"/*/*/*.sse
    seed answer_messages 6 "$GOLDEN"/anthropic/*.sse "$GOLDEN"/anthropic/whole/*
    seed request_messages 07 "$GOLDEN"/anthropic/request/*
    for protocol in chat responses gemini; do
        seed "answer_$protocol" 6 "$GOLDEN/$protocol"/answers/*
    done
    for protocol in chat responses; do
        seed "request_$protocol" 047 "$GOLDEN/$protocol"/requests/*
    done
    seed edit 0234 "$GOLDEN"/*/request*/*
    seed peek ABCD "$GOLDEN"/*/request*/*
    for golden in "$GOLDEN"/gemini/requests/*; do
        { printf 'E{"model":"m","project":"p","request":' && cat "$golden" && printf '}'; } \
            >"$STATE/corpus/peek/enveloped-$(basename "$golden")"
    done
    { # the words of the protocols
        grep -rhoE '"[A-Za-z_.-]{1,40}"' "$GOLDEN" | sort -u | sed 's/^"\(.*\)"$/"\\"\1\\""/'
        printf '"%s"\n' 'data: ' 'event: ' '\x0d\x0a' '\x0a\x0a' '[DONE]'
    } >"$STATE/words"
}

fuzz() { # fuzz TARGET: says in one line what came of it
    local log=$STATE/$1.log status=0 executed covered
    mkdir -p "$STATE/corpus/$1" "$STATE/failed"
    "$STATE/build/$HOST/release/$1" "$STATE/corpus/$1" -dict="$STATE/words" -artifact_prefix="$STATE/failed/$1-" \
        -max_total_time="$SECONDS_EACH" -max_len=8192 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
        >"$log" 2>&1 || status=$?
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    if [ $status = 0 ]; then
        printf 'ok    %-20s %10s inputs, %s edges\n' "$1" "$executed" "$covered"
    else
        printf 'FAIL  %-20s %s\n' "$1" "$(sed -n 's/.*Test unit written to //p' "$log")"
        grep -a -A 3 'panicked at\|^SUMMARY' "$log" | cut -c 1-300 | sed 's/^/      /'
        failed_steps+=("$1")
    fi
}

build
seeds
for target in "${targets[@]}"; do fuzz "$target"; done
finish_steps
