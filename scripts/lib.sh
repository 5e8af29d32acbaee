# shellcheck shell=bash disable=SC2034
# Shared by the scripts beside it; sourced from the top of the checkout.

# Tools live beside what cargo builds, so that `cargo clean` takes them along and CI can keep them warm.
TARGET=${CARGO_TARGET_DIR:-target}
case "$TARGET" in
/*) ;;
*) TARGET=$PWD/$TARGET ;;
esac
TOOLS=${CRS_TOOLS_DIR:-$TARGET/tools}

find_promtool() { # unpacked here, or installed by somebody
    local unpacked=$TOOLS/prometheus/usr/bin/promtool
    if [ -x "$unpacked" ]; then printf '%s\n' "$unpacked"; else command -v promtool; fi
}

find_chromium() { # by the name that Debian gives it, or those of others
    local name
    for name in chromium chromium-browser google-chrome-stable; do
        command -v "$name" && return
    done
    return 1
}

say() { printf '%s\n' "$*" >&2; }

die() { # die LINE...
    printf 'error: %s\n' "$1" >&2
    shift
    [ $# = 0 ] || printf '       %s\n' "$@" >&2
    exit 1
}

failed_steps=()
step() { # step NAME COMMAND...: runs it, shows its time; its output only when it fails (or with VERBOSE=1)
    local name=$1 start=$EPOCHREALTIME status=0 log
    shift
    log=$(mktemp)
    if [ -n "${VERBOSE:-}" ]; then
        "$@" 2>&1 | tee "$log" || status=$?
    else
        "$@" >"$log" 2>&1 || status=$?
    fi
    local spent=$(((${EPOCHREALTIME/./} - ${start/./}) / 100000))
    printf '%-5s %5d.%d s  %s\n' "$([ $status = 0 ] && echo ok || echo FAIL)" $((spent / 10)) $((spent % 10)) "$name"
    if [ $status != 0 ]; then
        failed_steps+=("$name")
        [ -n "${VERBOSE:-}" ] || sed 's/^/      /' "$log"
    fi
    rm -f "$log"
    return 0
}

finish_steps() { # ends the script: 0 when every step passed
    [ ${#failed_steps[@]} = 0 ] || die "failed: $(printf '%s; ' "${failed_steps[@]}")"
}
