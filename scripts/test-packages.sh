#!/usr/bin/env bash
# `make test-packages`: the image and the installer, tried as users run them, without a container engine.
#
#   scripts/test-packages.sh [--crs FILE]      FILE is the binary to package; else the newest that was built here
#
# The last stage of the Dockerfile is done by hand in an empty Debian (debootstrap, kept in target/tools), its entrypoint
# started as an engine would: first process of its own namespaces, data bind-mounted. All mounts are in these namespaces,
# so nothing stays on the machine when a test is broken off. It takes root. Where it cannot run it says so and fails;
# PACKAGES_UNTESTED=ok lets it pass then.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

cannot() {
    say "the packages are not tested: $*"
    [ "${PACKAGES_UNTESTED:-}" = ok ] || exit 1
    exit 0
}

crs=${PACKAGED_CRS:-}
[ "${1:-}" != --crs ] || crs=$(realpath "$2")
if [ -z "$crs" ]; then
    for built in "$TARGET"/{dist,release,debug}/crs; do
        if [ -f "$built" ] && { [ -z "$crs" ] || [ "$built" -nt "$crs" ]; }; then crs=$built; fi
    done
fi
[ -n "$crs" ] || cannot "no crs was built yet: cargo build --bin crs"
[ "$(id -u)" = 0 ] || cannot "it takes root, for chroot and namespaces"
unshare --mount --pid --net --fork true 2>/dev/null || cannot "no namespaces can be made here"
[ -x "$TOOLS/packaging/usr/sbin/debootstrap" ] || cannot "debootstrap is not in $TOOLS (scripts/setup.sh packages)"

# Each test is a process of its own, so that the first thing that fails in it ends it: `step` would hide that.
test=
[ "${1:-}" != --test ] || test=$2
[ -n "$test" ] || scratch=$(mktemp -d)
running=
end() {
    # A container ends with its first process, the child of what began it; as that becomes another user, it does not end
    # with its parent.
    [ -z "$running" ] || pkill -KILL -P "$running" || true
    [ -n "$test" ] || rm -rf --one-file-system "$scratch"
}
trap end EXIT
trap 'exit 130' INT TERM

# --- an empty Debian -------------------------------------------------------------------------------------------------
# Made once, and after an edit of the Dockerfile: later runs need no network.
base=$TOOLS/packaging/bookworm.tar
ran=$TOOLS/packaging/ran-$(cksum <Dockerfile | cut -d' ' -f1).tar

make_base() {
    [ ! -f "$base" ] || return 0
    local mirror
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
    [ -n "$mirror" ] || die "apt knows no mirror of Debian"
    DEBOOTSTRAP_DIR="$TOOLS/packaging/usr/share/debootstrap" "$TOOLS/packaging/usr/sbin/debootstrap" \
        --variant=minbase bookworm "$scratch/base" "$mirror"
    tar -C "$scratch/base" -cf "$base.new" .
    mv "$base.new" "$base"
}

make_what_run_makes() {
    [ ! -f "$ran" ] || return 0
    unpack "$base" "$scratch/ran"
    cp /etc/resolv.conf "$scratch/ran/etc/resolv.conf"
    scripts/image_by_hand.py run "$scratch/ran"
    rm -f "$TOOLS"/packaging/ran-*.tar
    tar -C "$scratch/ran" -cf "$ran.new" .
    mv "$ran.new" "$ran"
}

unpack() { mkdir -p "$2" && tar -C "$2" -xf "$1"; } # unpack ARCHIVE DIRECTORY

# --- containers ------------------------------------------------------------------------------------------------------
image=$scratch/image
# What docker-compose.yml leaves to the first process.
few=-all,+chown,+dac_override,+setgid,+setuid

begin_container() { # begin_container DATA free|confined [--user NUMBER] [--entrypoint COMMAND] [NAME=VALUE]…: sets $first, its first process
    local data=$1 how=$2 user=
    shift 2
    begin_as_the_image_says
    [ "${1:-}" != --user ] || { user=$2 && shift 2; }
    [ "${1:-}" != --entrypoint ] || { entrypoint=$2 && shift 2; }
    # shellcheck disable=SC2016  # for the shell inside
    unshare --mount --pid --net --ipc --uts --fork --kill-child -- bash -euc '
        image=$1 data=$2 how=$3 few=$4 user=$5
        shift 5
        ip link set lo up
        mount --bind "$image" "$image"
        mount -t proc proc "$image/proc"
        mount --bind /dev "$image/dev"
        mount -t tmpfs tmpfs "$image/tmp"
        mount --bind "$data" "$image/app/data"
        as=(setpriv --inh-caps=-all)
        [ -z "$user" ] || as+=(--reuid "$user" --regid "$user" --clear-groups)
        if [ "$how" = confined ]; then
            mount -o remount,bind,ro "$image"
            as+=(--bounding-set="$few" --no-new-privs)
        fi
        exec chroot "$image" "${as[@]}" env -i "$@" sh -c "cd $working_directory && exec $entrypoint $command"
    ' container "$image" "$data" "$how" "$few" "$user" "${environment[@]}" "$@" >"$scratch/said" 2>&1 &
    running=$!
    container_how=$how
    until first=$(pgrep -P $running); do kill -0 $running || die "the container did not begin" "$(cat "$scratch/said")"; done
    until in_container curl -fsS "http://localhost:$PORT/health" >/dev/null 2>&1; do
        kill -0 $running 2>/dev/null || die "the container ended" "$(cat "$scratch/said")"
        sleep 0.1
    done
}

in_container() { # as `docker exec`: root, with the container's variables and bounds
    local as=(setpriv --inh-caps=-all)
    [ "$container_how" = free ] || as+=(--bounding-set="$few" --no-new-privs)
    # shellcheck disable=SC2154  # as the Dockerfile says
    nsenter --target "$first" --mount --pid --net --ipc --uts --root --wd="$image$working_directory" -- \
        "${as[@]}" env -i "${environment[@]}" "$@"
}

status_of() { sed -n "s/^$1:[[:space:]]*\([^[:space:]]*\).*/\1/p" "/proc/$first/status"; }

holds() { # holds WHAT COMMAND…
    local what=$1
    shift
    "$@" || die "$what: does not hold: $*" "$(cat "$scratch/said" 2>/dev/null)"
}

all_belongs_to() { # all_belongs_to USER DIRECTORY
    local others
    others=$(find "$2" ! -user "$1" -printf '%u %p\n')
    [ -z "$others" ] || { say "$others" && return 1; }
}

asked_to_stop() { # asked_to_stop SECONDS: the exit status is 0, and it took no longer
    local begun=$EPOCHREALTIME status=0 took
    kill -TERM "$first"
    wait "$running" || status=$?
    running=
    took=$(((${EPOCHREALTIME/./} - ${begun/./}) / 1000))
    say "  stopped after $took ms, status $status"
    [ $status = 0 ] && [ $took -lt $(($1 * 1000)) ]
}

runs_as_nobody_special() { # runs_as_nobody_special USER DATA
    holds "the first process is crs" [ "$(readlink "/proc/$first/exe")" = "$image/usr/local/bin/crs" ]
    holds "it runs as $1" [ "$(status_of Uid)" = "$1" ]
    holds "it is in no group of root's" [ -z "$(status_of Groups)" ]
    holds "it has no capability" [ "$(status_of CapEff)$(status_of CapPrm)" = "$(printf '%032d' 0)" ]
    holds "it can gain none" [ "$(status_of NoNewPrivs)" = 1 ]
    # shellcheck disable=SC2154,SC2086  # what the Dockerfile says, a command
    holds "the health check passes" in_container $health >/dev/null
    holds "commands work as root" in_container crs key add --name laptop --json >/dev/null
    holds "commands work as root" in_container crs key list >/dev/null
    holds "all data belongs to $1" all_belongs_to "$1" "$2"
}

others_stay_out() { [ "$(stat -c %a "$1")" = 700 ]; }

image_by_hand() {
    unpack "$ran" "$image"
    scripts/image_by_hand.py rest "$image" "$crs" >"$scratch/image.new"
    mv "$scratch/image.new" "$scratch/image.sh"
}

begin_as_the_image_says() {
    [ -f "$scratch/image.sh" ] || die "there is no image"
    . "$scratch/image.sh"
    export working_directory entrypoint command
    mapfile -t environment < <(sed -n 's/^export \([A-Z_]*=\)/\1/p' "$scratch/image.sh")
    environment+=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
}

a_folder_of_roots() { # as engines make them for bind mounts that do not exist
    mkdir "$scratch/of-root"
    begin_container "$scratch/of-root" free
    runs_as_nobody_special 1000 "$scratch/of-root"
    holds "others cannot look into it" others_stay_out "$scratch/of-root"
    holds "SIGTERM ends it in time" asked_to_stop 8
}

a_folder_of_somebodys() {
    install -d -o 5000 -g 5001 "$scratch/of-somebody"
    cp -r "$scratch/of-root" "$scratch/of-somebody/logs"
    begin_container "$scratch/of-somebody" free
    runs_as_nobody_special 5000 "$scratch/of-somebody"
    holds "SIGTERM ends it in time" asked_to_stop 8
}

a_folder_of_roots_group() { # as some hosts make them; and what has another name outside is let be
    install -d -o 5000 -g 0 "$scratch/of-roots-group"
    echo kept >"$scratch/elsewhere"
    ln "$scratch/elsewhere" "$scratch/of-roots-group/linked"
    mkdir "$scratch/of-roots-group/logs"
    begin_container "$scratch/of-roots-group" free
    holds "it runs as 5000" [ "$(status_of Uid)" = 5000 ]
    holds "it is not of root's group" [ "$(status_of Gid)" = 5000 ]
    holds "what was root's is handed over" [ "$(stat -c %u:%g "$scratch/of-roots-group/logs")" = 5000:5000 ]
    holds "a file of two names is not" [ "$(stat -c %u "$scratch/elsewhere")" = 0 ]
    holds "SIGTERM ends it in time" asked_to_stop 8
}

directories_of_the_system() { # which must not be given away
    local directory
    mkdir "$scratch/unused"
    for directory in / /app /etc /usr/bin; do
        (begin_container "$scratch/unused" free DATA_DIR=$directory) >/dev/null 2>&1 && die "it began with DATA_DIR=$directory"
        holds "it says why" grep -q 'is not for the data alone' "$scratch/said"
        holds "$directory stays root's" [ "$(stat -c %u "$image$directory")" = 0 ]
    done
}

as_another_user() { # docker run --user 1234
    install -d -o 1234 -g 1234 "$scratch/of-1234"
    begin_container "$scratch/of-1234" free --user 1234
    holds "it runs as 1234" [ "$(status_of Uid)" = 1234 ]
    holds "commands work as root" in_container crs key add --name laptop --json >/dev/null
    holds "all data belongs to 1234" all_belongs_to 1234 "$scratch/of-1234"
    holds "SIGTERM ends it in time" asked_to_stop 8
}

without_the_hand_over() { # what docs/install.md says of rootless engines, whose root is nobody special outside
    mkdir "$scratch/kept"
    begin_container "$scratch/kept" confined --entrypoint crs
    holds "it runs as the container's root" [ "$(status_of Uid)" = 0 ]
    holds "commands work" in_container crs key add --name laptop --json >/dev/null
    holds "all data belongs to root" all_belongs_to root "$scratch/kept"
    holds "SIGTERM ends it in time" asked_to_stop 8
}

as_in_docker_compose_yml() { # few capabilities, a root that is read only
    mkdir "$scratch/confined"
    begin_container "$scratch/confined" confined
    runs_as_nobody_special 1000 "$scratch/confined"
    holds "SIGTERM ends it in time" asked_to_stop 8
}

with_the_variables_of_an_existing_installation() {
    mkdir "$scratch/existing"
    local key
    key=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
    begin_container "$scratch/existing" free NODE_ENV=production JWT_SECRET="$key$key" ENCRYPTION_KEY="$key" \
        ADMIN_USERNAME= ADMIN_PASSWORD= REDIS_HOST=redis REDIS_PORT=6379 REDIS_PASSWORD= REDIS_DB=0 \
        API_KEY_PREFIX=cr_ LOG_LEVEL=info LOG_MAX_SIZE=10m LOG_MAX_FILES=5 TIMEZONE_OFFSET=8 DEBUG=false \
        ENABLE_CORS=true TRUST_PROXY=true REQUEST_MAX_SIZE_MB=60 CLEANUP_INTERVAL=3600000
    holds "the key is the given one" [ ! -e "$scratch/existing/master.key" ]
    holds "its health check passes" in_container curl -f "http://localhost:3000/health" >/dev/null 2>&1
    holds "SIGTERM ends it in time" asked_to_stop 8
}

zones_are_known() { # TIMEZONE needs the system's data
    mkdir "$scratch/zones"
    begin_container "$scratch/zones" free TIMEZONE=Asia/Shanghai
    holds "SIGTERM ends it in time" asked_to_stop 8
}

# --- the installer ---------------------------------------------------------------------------------------------------
machine=$scratch/machine
on_machine() { chroot "$machine" /usr/bin/env -i LANG=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin HOME=/ "$@"; }
install_crs() { on_machine /checkout/scripts/install.sh "$@"; }
install_crs_without_programs_in_tmp() { # as machines do that are hardened
    # shellcheck disable=SC2016  # for the shell inside
    unshare --mount -- sh -euc 'mount -t tmpfs -o noexec tmpfs "$1/tmp"
        machine=$1 && shift
        exec chroot "$machine" /usr/bin/env -i LANG=C PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ "$@"' \
        tmp "$machine" /checkout/scripts/install.sh "$@"
}

machine_with_a_checkout() {
    unpack "$base" "$machine"
    mkdir -p "$machine/checkout"
    cp -r --parents scripts/install.sh deploy .env.example "$machine/checkout"
    cp "$crs" "$machine/checkout/new-crs"
}

# What stands for systemd: it notes what it is asked for.
systemd_of_sorts() {
    mkdir -p "$machine/run/systemd/system"
    cat >"$machine/usr/bin/systemctl" <<'END'
#!/bin/sh
echo "$*" >>/systemctl.log
case $1 in
is-active) [ -e /running ] ;;
restart) touch /running ;;
disable) rm -f /running ;;
esac
END
    chmod 755 "$machine/usr/bin/systemctl"
}

without_systemd() {
    local told told_again
    told=$(install_crs_without_programs_in_tmp --binary /checkout/new-crs)
    holds "it says how to start" grep -q 'systemd does not run here' <<<"$told"
    holds "the program is there" on_machine crs --version >/dev/null
    holds "data is the user's" [ "$(on_machine stat -c '%U:%G %a' /var/lib/crs)" = "crs:crs 700" ]
    holds "settings are root's" [ "$(on_machine stat -c '%U %a' /etc/crs/crs.env)" = "root 600" ]
    echo 'PORT=4321' >>"$machine/etc/crs/crs.env"
    told_again=$(install_crs --binary /checkout/new-crs)
    holds "again: up to date" grep -q 'up to date' <<<"$told_again"
    holds "it can be pasted where /usr/local/bin is not on the path" grep -q 'next: /usr/local/bin/crs account' <<<"$told_again"
    holds "settings are kept" grep -q '^PORT=4321$' "$machine/etc/crs/crs.env"
    told_again=$(on_machine LANG=zh_CN.UTF-8 /checkout/scripts/install.sh --binary /checkout/new-crs)
    holds "in Chinese" grep -q '已是最新' <<<"$told_again"
    # As it says how to start, it starts.
    told=$(sed -n 's/^  \(cd .*\)/\1/p' <<<"$told")
    told_again=$(on_machine SUDO_USER=somebody /checkout/scripts/install.sh --binary /checkout/new-crs)
    holds "under sudo it says what to paste" grep -q 'next: sudo /usr/local/bin/crs ' <<<"$told_again"
    # shellcheck disable=SC2016  # for the shell inside
    unshare --mount --pid --net --fork --kill-child -- sh -euc '
        ip link set lo up; mount -t proc proc "$1/proc"; mount --bind /dev "$1/dev"
        exec chroot "$1" sh -c "$2"' start "$machine" "${told/setpriv/exec setpriv}" >"$scratch/said" 2>&1 &
    running=$!
    until first=$(pgrep -P $running) && [ -S "$machine/var/lib/crs/crs.sock" ]; do
        kill -0 $running 2>/dev/null || die "it did not start" "$(cat "$scratch/said")"
        sleep 0.1
    done
    holds "it listens where the settings say" grep -q ':4321' "$scratch/said"
    holds "commands work as root" nsenter --target "$first" --mount --pid --net --root --wd="$machine" -- \
        /usr/local/bin/crs --data-dir /var/lib/crs health >/dev/null
    holds "they need not be told where its data is" nsenter --target "$first" --mount --pid --net --root --wd="$machine" -- \
        /usr/local/bin/crs key add --name laptop --json >/dev/null
    holds "all data is the user's" [ -z "$(on_machine find /var/lib/crs ! -user crs)" ]
    holds "SIGTERM ends it" asked_to_stop 40
}

with_systemd() {
    local told
    systemd_of_sorts
    # A program whose health is always good, as the service is not started here.
    printf '#!/bin/sh\ncase "$*" in --version) echo crs 9.9.9 ;; esac\n' >"$machine/checkout/fake-crs"
    chmod 755 "$machine/checkout/fake-crs"
    told=$(install_crs --binary /checkout/fake-crs)
    holds "an upgrade" grep -q 'crs 9.9.9 installed' <<<"$told"
    holds "the unit is there" cmp deploy/systemd/crs.service "$machine/etc/systemd/system/crs.service"
    holds "what systemd was asked for" [ "$(tr '\n' ';' <"$machine/systemctl.log")" = "daemon-reload;enable --quiet crs;restart crs;" ]
    told=$(install_crs --binary /checkout/fake-crs)
    holds "again: nothing to do" grep -q 'crs runs' <<<"$told"
    holds "what does not run is not installed" [ "$(install_crs --binary /checkout/.env.example >/dev/null 2>&1 || echo refused)" = refused ]
    holds "the program is the one before" grep -q 9.9.9 < <(on_machine crs --version)
    holds "nothing is left of it" [ ! -e "$machine/usr/local/bin/.crs.new" ]
    # A systemd that refuses ends no removal half-way.
    sed -i 's|^disable).*|disable) exit 1 ;;|' "$machine/usr/bin/systemctl"
}

removed() {
    install_crs --uninstall >/dev/null
    holds "the program is gone" [ ! -e "$machine/usr/local/bin/crs" ]
    holds "so is the unit" [ ! -e "$machine/etc/systemd/system/crs.service" ]
    holds "data is kept" [ -f "$machine/var/lib/crs/crs.db" ]
    holds "settings are kept" [ -f "$machine/etc/crs/crs.env" ]
    install_crs --uninstall --purge >/dev/null
    holds "data is gone" [ ! -e "$machine/var/lib/crs" ]
    holds "settings are gone" [ ! -e "$machine/etc/crs" ]
    holds "the user is gone" [ -z "$(on_machine getent passwd crs)" ]
}

from_a_release() { # an archive as the release workflow makes it
    local sum
    mkdir -p "$scratch/pack/crs-1"
    cp -r --parents scripts/install.sh deploy .env.example "$scratch/pack/crs-1"
    cp "$crs" "$scratch/pack/crs-1/crs"
    tar -C "$scratch/pack" -czf "$machine/release.tar.gz" crs-1
    # Fetched from a file: what stands for curl copies it.
    printf '#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\ncp /release.tar.gz "$2"\n' >"$machine/usr/bin/curl"
    chmod 755 "$machine/usr/bin/curl"
    sum=$(sha256sum "$machine/release.tar.gz" | cut -d' ' -f1)
    holds "a wrong checksum is refused" grep -q 'nothing was installed' < <(install_crs --url https://host/x --sha256 0 2>&1)
    holds "nothing was installed" [ ! -e "$machine/usr/local/bin/crs" ]
    holds "an address without TLS is refused" grep -q 'https://' < <(install_crs --url http://host/x --sha256 "$sum" 2>&1)
    install_crs --no-start --url https://host/x --sha256 "${sum^^}" >/dev/null
    holds "the program is there" cmp "$crs" "$machine/usr/local/bin/crs"
    holds "settings too" cmp .env.example "$machine/etc/crs/crs.env"
}

asks_for() { # asks_for EXPECTED SYSTEM USER STAND-IN[=WHAT IT SAYS]…: what an installation from a checkout would do
    local expected=$1 path=$scratch/stand-ins shown
    rm -rf "$path" && mkdir "$path"
    printf '#!/bin/sh\necho %s\n' "$2" >"$path/uname"
    printf '#!/bin/sh\n[ "$1" = -u ] && echo %s\n' "$3" >"$path/id"
    shift 3
    local tool
    for tool in dirname mktemp rm sed cut sort head cmp chmod cp sh env cat tr; do ln -s "$(type -P $tool)" "$path/$tool"; done
    for tool in "$@"; do printf '#!/bin/sh\necho "%s"\n' "${tool#*=}" >"$path/${tool%%=*}"; done
    find "$path" -type f -exec chmod 755 {} +
    shown=$(env -i PATH="$path" HOME=/nowhere SHELL=/bin/sh "$path/sh" scripts/install.sh --dry-run 2>&1 || true)
    grep -qxF "+ $expected" <<<"$shown" || die "it would not run: $expected" "$shown"
}

package_managers() {
    asks_for "apt-get install -y --no-install-recommends gcc libc6-dev" Linux 0 apt-get apt-cache
    asks_for "sudo apt-get install -y --no-install-recommends gcc libc6-dev" Linux 1000 apt-get apt-cache sudo
    asks_for "dnf install -y gcc" Linux 0 dnf yum
    asks_for "dnf install -y rustup" Linux 0 dnf
    asks_for "yum install -y gcc" Linux 0 yum
    asks_for "pacman -S --needed --noconfirm gcc" Linux 0 pacman
    asks_for "sudo pacman -S --needed --noconfirm rustup" Linux 1000 pacman sudo
    asks_for "xcode-select --install" Darwin 501 xcode-select
    asks_for "brew install rustup" Darwin 501 cc brew
    asks_for "useradd --system --user-group --home-dir /var/lib/crs --no-create-home --shell /bin/false crs" Linux 0 dnf
    local build="cargo build --manifest-path $PWD/Cargo.toml --target-dir $PWD/target --profile dist --locked --bin crs"
    asks_for "$build" Linux 0 cc rustup
    asks_for "$build" Linux 0 cc "cargo=cargo 9.0.0 (x)"
    asks_for "rustup toolchain install --profile minimal stable" Linux 0 cc rustup "cargo=cargo 1.20.0 (x)"
    asks_for "dnf install -y rustup" Linux 0 cc dnf "cargo=cargo 1.20.0 (x)"
}

no_package_of_rust() { # it stops, and says in words what to do: no script is fetched from a host
    local shown
    shown=$(asks_for "no such command" Linux 0 cc curl 2>&1) && die "it went on"
    holds "it says what is missing" grep -q 'error: Rust .* is missing' <<<"$shown"
    holds "it does nothing" [ "$(grep -c '^ *+ ' <<<"$shown")" = 0 ]
}

scripts_are_clean() {
    "$TOOLS/packaging/usr/bin/shellcheck" --external-sources --severity=warning scripts/{install,test-packages}.sh \
        deploy/docker/entrypoint.sh
}

if [ -n "$test" ]; then
    "$test"
    exit
fi
# A copy, because a build beside this may replace the file.
cp "$crs" "$scratch/packaged-crs"
export scratch PACKAGED_CRS=$scratch/packaged-crs
try() { step "$1: ${2//_/ }" bash "$0" --test "$2"; }
for archive in make_base make_what_run_makes; do
    bash "$0" --test $archive >"$scratch/made" 2>&1 ||
        cannot "no Debian can be made here: $(tail -n 3 "$scratch/made")"
done
try scripts scripts_are_clean
try installer package_managers
try installer no_package_of_rust
try image image_by_hand
try image a_folder_of_roots
try image a_folder_of_somebodys
try image a_folder_of_roots_group
try image directories_of_the_system
try image as_another_user
try image without_the_hand_over
try image as_in_docker_compose_yml
try image with_the_variables_of_an_existing_installation
try image zones_are_known
try installer machine_with_a_checkout
try installer without_systemd
try installer with_systemd
try installer removed
try installer from_a_release
finish_steps
