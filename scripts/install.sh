#!/bin/sh
# Installs crs, or brings an installation up to date; `scripts/install.sh --help` says how.
#
# What it changes goes through `run`, so that --dry-run shows all of it and does none.
set -eu

say() { # say ENGLISH CHINESE
    case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
    zh*) printf '%s\n' "$2" ;;
    *) printf '%s\n' "$1" ;;
    esac
}

die() {
    say "error: $1" "错误：$2" >&2
    exit 1
}

usage() {
    say 'scripts/install.sh [where the program comes from] [what to do]

  (nothing)               the program beside this script, as in a release; else it is built from this checkout
  --binary FILE           this program
  --url URL --sha256 HEX  the archive of a release, if that is its checksum
  --no-start              installs without starting or restarting
  --uninstall             removes the program and its service; keeps settings and data
  --uninstall --purge     removes settings and data too, for good
  --dry-run               says what it would do

As root: /usr/local/bin/crs, a user crs, settings in /etc/crs/crs.env, data in /var/lib/crs, a systemd unit.
Otherwise: ~/.local/bin/crs, settings and data in ~/.local/share/crs. Running it again brings the program up to date.' \
        'scripts/install.sh [程序从哪里来] [做什么]

  （不带参数）            用脚本旁边的程序（发布包里就有），没有就从源码编译
  --binary FILE           用这个程序
  --url URL --sha256 HEX  下载发布包，校验和必须一致
  --no-start              只安装，不启动也不重启
  --uninstall             卸载程序和服务；保留设置和数据
  --uninstall --purge     连设置和数据一起删除，无法恢复
  --dry-run               只说明会做什么

以 root 运行：/usr/local/bin/crs，用户 crs，设置在 /etc/crs/crs.env，数据在 /var/lib/crs，systemd 服务。
否则：~/.local/bin/crs，设置和数据在 ~/.local/share/crs。再次运行就是升级。'
}

run() {
    if [ "$dry_run" = yes ]; then
        printf '+ %s\n' "$*"
    else
        "$@"
    fi
}

has() { command -v "$1" >/dev/null 2>&1; }

# --- what is asked for ---------------------------------------------------------------------------------------------
binary='' url='' sha256='' start=yes uninstall=no purge=no dry_run=no
while [ $# -gt 0 ]; do
    case $1 in
    --binary | --url | --sha256)
        [ $# -gt 1 ] || die "$1 needs a value" "$1 需要一个值"
        case $1 in
        --binary) binary=$2 ;;
        --url) url=$2 ;;
        --sha256) sha256=$2 ;;
        esac
        shift
        ;;
    --no-start) start=no ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    --dry-run) dry_run=yes ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift
done
[ -z "$binary" ] || [ -z "$url" ] || die "--binary and --url exclude each other" "--binary 和 --url 只能用一个"
[ -z "$url" ] || [ -n "$sha256" ] || die "--url needs --sha256" "--url 需要 --sha256"
case $url in
'' | https://*) ;;
*) die "--url takes an address that begins with https://" "--url 的地址必须以 https:// 开头" ;;
esac
[ "$purge" = no ] || [ "$uninstall" = yes ] || die "--purge goes with --uninstall" "--purge 要和 --uninstall 一起用"

# --- where things go -----------------------------------------------------------------------------------------------
top=$(cd "$(dirname "$0")/.." && pwd)
system=$(uname -s)
case $system in
Linux | Darwin) ;;
*) die "only Linux and macOS are known here, not $system" "这里只支持 Linux 和 macOS，不支持 $system" ;;
esac
if [ "$(id -u)" = 0 ]; then is_root=yes; else is_root=no; fi
if [ "$is_root" = yes ] && [ "$system" = Linux ]; then
    bin=/usr/local/bin data=/var/lib/crs settings=/etc/crs/crs.env
else
    if [ "$is_root" = yes ]; then bin=/usr/local/bin; else bin=$HOME/.local/bin; fi
    data=$HOME/.local/share/crs settings=$HOME/.local/share/crs/.env
fi
unit=/etc/systemd/system/crs.service
has_service() { [ "$is_root" = yes ] && [ "$system" = Linux ] && has systemctl; }
systemd_runs() { has_service && [ -d /run/systemd/system ]; }

scratch=$(mktemp -d) new=
trap 'rm -rf "$scratch"; [ -z "$new" ] || rm -f "$new"' EXIT
trap 'exit 130' INT TERM

# --- removing ------------------------------------------------------------------------------------------------------
remove_all() {
    if systemd_runs && [ -e "$unit" ]; then
        run systemctl disable --now crs ||
            say "systemd could not stop or disable crs; going on" "systemd 没能停止或禁用 crs；继续卸载"
    fi
    run rm -f "$bin/crs"
    if has_service; then
        run rm -f "$unit"
        ! systemd_runs || run systemctl daemon-reload || true
    fi
    if [ "$purge" = no ]; then
        say "removed; settings ($settings) and data ($data) are kept, --purge removes them" \
            "已卸载；保留了设置（$settings）和数据（$data），用 --purge 删除"
        return
    fi
    if [ "$settings" = /etc/crs/crs.env ]; then
        run rm -rf /etc/crs "$data"
        ! id crs >/dev/null 2>&1 || run userdel crs ||
            say "the user crs is still there: userdel crs" "用户 crs 还在：userdel crs"
    else
        run rm -rf "$data"
    fi
    say "removed, with settings and data" "已卸载，设置和数据也已删除"
}

# --- what building needs -------------------------------------------------------------------------------------------
package_command() { # package_command COMPILER|RUSTUP: how this system installs it; nothing if it has no package
    if has apt-get; then
        case $1 in
        compiler) echo "apt-get install -y --no-install-recommends gcc libc6-dev" ;;
        rustup) ! apt-cache show rustup >/dev/null 2>&1 || echo "apt-get install -y --no-install-recommends rustup" ;;
        esac
    elif has dnf || has yum; then
        if has dnf; then manager=dnf; else manager=yum; fi
        case $1 in
        compiler) echo "$manager install -y gcc" ;;
        rustup) ! $manager -q list rustup >/dev/null 2>&1 || echo "$manager install -y rustup" ;;
        esac
    elif has pacman; then
        case $1 in
        compiler) echo "pacman -S --needed --noconfirm gcc" ;;
        rustup) echo "pacman -S --needed --noconfirm rustup" ;;
        esac
    elif [ "$system" = Darwin ]; then
        case $1 in
        compiler) echo "xcode-select --install" ;;
        rustup) ! has brew || echo "brew install rustup" ;;
        esac
    fi
}

need_root() { # need_root WHAT FOR: sets $as_root, nothing or `sudo`
    as_root=
    if [ "$is_root" = no ] && [ "$system" = Linux ]; then
        has sudo || die "only root can do this: $*" "只有 root 能做：$*"
        as_root=sudo
    fi
}

update_lists() { # what apt-get knows is often nothing at all in a new machine
    if ! has apt-get || [ "${lists:-old}" = new ]; then return 0; fi
    lists=new
    need_root apt-get update
    # shellcheck disable=SC2086  # nothing, or one word
    run $as_root apt-get -qq update || true
}

install_packages() { # install_packages COMMAND…
    need_root "$@"
    say "installing: $*" "安装：$*"
    # shellcheck disable=SC2086
    run $as_root "$@"
}

# Under sudo the user who called it builds, so that the checkout stays theirs. Cargo and rustup take the toolchain that
# rust-toolchain.toml names from the directory in which they start. Homebrew links its rustup nowhere.
builder() {
    # shellcheck disable=SC2016  # for the shell inside
    with_path='PATH=${CARGO_HOME:-$HOME/.cargo}/bin:/opt/homebrew/opt/rustup/bin:/usr/local/opt/rustup/bin:$PATH
        export PATH; "$@"'
    if [ "$is_root" = yes ] && [ "${SUDO_USER:-root}" != root ]; then
        (cd "$top" && sudo -u "$SUDO_USER" -H sh -c "$with_path" sh "$@")
    else
        (cd "$top" && sh -c "$with_path" sh "$@")
    fi
}
as_builder() { if [ "$dry_run" = yes ]; then run "$@"; else builder "$@"; fi; }
builder_has() { builder command -v "$1" >/dev/null 2>&1; }

need_compiler() {
    ! has cc || return 0
    update_lists
    command=$(package_command compiler)
    [ -n "$command" ] || die "a C compiler is missing; install one, then run this again" "缺少 C 编译器；请先安装，然后重新运行"
    # shellcheck disable=SC2086  # the words of a command
    install_packages $command
    [ "$system" = Linux ] || die "let that finish, then run this again" "等它装完，再运行一次本脚本"
}

rust_suffices() { # sets $found, the version of the cargo that would build; nothing is fetched to learn it
    found=$(builder env RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null | cut -d' ' -f2) || found=
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$least" "$found" | sort -V | head -n 1)" = "$least" ]
}

need_rust() { # the distributions' own cargo is often too old: then rustup, from their packages, brings a newer one
    least=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$top/Cargo.toml")
    channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$top/rust-toolchain.toml")
    ! rust_suffices || return 0
    [ -z "$found" ] || say "cargo $found is older than $least" "cargo $found 比 $least 旧"
    if ! builder_has rustup; then
        update_lists
        command=$(package_command rustup)
        [ -n "$command" ] ||
            die "Rust $least or newer is missing, and this system has no package of rustup. Install rustup as its own site says, for the user who builds; then run this again" \
                "缺少 Rust $least 或更新的版本，这个系统也没有 rustup 的软件包。请按 rustup 官网的说明为执行编译的用户安装，然后重新运行"
        # shellcheck disable=SC2086  # the words of a command
        install_packages $command
        builder_has rustup || ! builder_has rustup-init ||
            as_builder rustup-init -y --profile minimal --no-modify-path --default-toolchain none
    fi
    as_builder rustup toolchain install --profile minimal "$channel"
    [ "$dry_run" = yes ] || rust_suffices ||
        die "the cargo that is found first is not $least or newer: ${found:-none}" "最先找到的 cargo 不是 $least 或更新的版本：${found:-无}"
}

# --- the program ---------------------------------------------------------------------------------------------------
fetch() { # fetch URL FILE
    if has curl; then
        run curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --output "$2" "$1"
    elif has wget; then
        run wget --https-only -q -O "$2" "$1"
    else
        die "neither curl nor wget is here to fetch $1" "没有 curl 也没有 wget，无法下载 $1"
    fi
}

sha256_of() {
    if has sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

from_release() {
    fetch "$url" "$scratch/release.tar.gz"
    binary=$scratch/release/crs
    [ "$dry_run" = no ] || return 0
    found=$(sha256_of "$scratch/release.tar.gz")
    [ "$found" = "$(printf '%s' "$sha256" | tr 'A-F' 'a-f')" ] || die "the checksum of $url is $found: nothing was installed" "$url 的校验和是 $found：什么也没有安装"
    mkdir "$scratch/release"
    tar -xzf "$scratch/release.tar.gz" -C "$scratch/release" --strip-components 1
    top=$scratch/release
}

from_checkout() {
    need_compiler
    need_rust
    say "building; this takes some minutes" "正在编译，需要几分钟"
    # Said here, because the environment and the builder's configuration may name another.
    as_builder cargo build --manifest-path "$top/Cargo.toml" --target-dir "$top/target" --profile dist --locked --bin crs
    binary=$top/target/dist/crs
}

find_binary() {
    if [ -n "$url" ]; then
        from_release
    elif [ -z "$binary" ] && [ -f "$top/crs" ]; then
        binary=$top/crs
    elif [ -z "$binary" ] && [ -f "$top/Cargo.toml" ]; then
        from_checkout
    elif [ -z "$binary" ]; then
        die "nothing to install here: give --binary or --url" "这里没有可安装的程序：请用 --binary 或 --url"
    fi
    [ "$dry_run" = no ] || return 0
    [ -f "$binary" ] || die "there is no file $binary" "没有文件 $binary"
}

place_binary() { # tried where it will run, because /tmp may not let programs run; then that very file moves into place
    run mkdir -p "$bin"
    [ "$dry_run" = yes ] || new=$bin/.crs.new
    run cp "$binary" "$bin/.crs.new"
    run chmod 755 "$bin/.crs.new"
    if [ "$dry_run" = no ]; then
        version=$("$new" --version 2>/dev/null) || version=
        case $version in
        "crs "*) ;;
        *) die "$binary is no crs that runs on this machine" "$binary 不是能在这台机器上运行的 crs" ;;
        esac
        if [ -f "$bin/crs" ] && cmp -s "$new" "$bin/crs"; then
            say "$bin/crs: up to date" "$bin/crs：已是最新"
            return
        fi
    fi
    replaced=yes
    # Moved, because a program that runs cannot be written to.
    run mv -f "$bin/.crs.new" "$bin/crs"
    ! has restorecon || run restorecon "$bin/crs"
    say "$bin/crs: ${version:-} installed" "$bin/crs：已安装 ${version:-}"
}

place_settings() {
    if [ -e "$settings" ]; then
        say "$settings: kept" "$settings：保留"
        return
    fi
    run mkdir -p "$(dirname "$settings")"
    run cp "$top/.env.example" "$settings"
    run chmod 600 "$settings"
    say "$settings: installed; every setting with its default" "$settings：已安装，列出全部设置和默认值"
}

place_service() {
    if ! id crs >/dev/null 2>&1; then
        nologin=$(command -v nologin || echo /bin/false)
        run useradd --system --user-group --home-dir "$data" --no-create-home --shell "$nologin" crs
        say "user crs: made" "用户 crs：已建立"
    fi
    run install -d -o crs -g crs -m 0700 "$data"
    has_service || return 0
    if cmp -s "$top/deploy/systemd/crs.service" "$unit"; then return; fi
    replaced=yes
    run mkdir -p "${unit%/*}"
    run install -m 0644 "$top/deploy/systemd/crs.service" "$unit"
    ! systemd_runs || run systemctl daemon-reload
    say "$unit: installed" "$unit：已安装"
}

# --- starting ------------------------------------------------------------------------------------------------------
start_service() {
    run systemctl enable --quiet crs
    if [ "${replaced:-no}" = no ] && systemctl is-active --quiet crs; then
        say "crs runs" "crs 正在运行"
        return
    fi
    run systemctl restart crs
    [ "$dry_run" = no ] || return 0
    seconds=0
    until "$bin/crs" --data-dir "$data" health >/dev/null 2>&1; do
        seconds=$((seconds + 1))
        [ $seconds -le 20 ] || die "it does not answer; journalctl -u crs says why" "没有回应；原因见 journalctl -u crs"
        sleep 1
    done
    say "crs is started" "crs 已启动"
}

quoted() { # quoted WORD: so that it can be pasted into a shell
    case $1 in
    *[!A-Za-z0-9_/.-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

tell_next_steps() { # with whole paths: the path of root under sudo often lacks /usr/local/bin
    crs=$(quoted "$bin/crs")
    if [ "${SUDO_USER:-root}" = root ]; then sudo=; else sudo='sudo '; fi
    if [ "$data" = /var/lib/crs ]; then
        ways="$sudo$crs"
    else
        ways="cd $(quoted "$data") && $crs"
    fi
    if systemd_runs; then
        [ "$start" = yes ] || say "start it: ${sudo}systemctl enable --now crs" "启动：${sudo}systemctl enable --now crs"
        say "its log, and the administrator's password of the first start: ${sudo}journalctl -u crs" \
            "日志，以及第一次启动时的管理员密码：${sudo}journalctl -u crs"
    elif [ "$data" = /var/lib/crs ]; then
        say "systemd does not run here; start it so, as root:" "这里没有运行 systemd；以 root 这样启动："
        echo "  cd $data && set -a && . $settings && setpriv --reuid crs --regid crs --clear-groups $crs --data-dir $data serve"
    else
        say "start it: $ways serve" "启动：$ways serve"
        [ "$system" != Darwin ] || say "(starting it at login, by launchd, is not built yet)" "（登录时由 launchd 启动：还没有做）"
    fi
    say "next: $ways account add …, $ways key add …" "接下来：$ways account add …，$ways key add …"
    say "keep a copy of the master key, master.key in its data: without it the data cannot be read" \
        "请另存主密钥（数据目录里的 master.key）：没有它就读不出数据"
}

if [ "$uninstall" = yes ]; then
    remove_all
    exit
fi
find_binary
place_binary
place_settings
if [ "$data" = /var/lib/crs ]; then place_service; else run chmod 700 "$data"; fi
if [ "$start" = yes ] && systemd_runs; then start_service; fi
tell_next_steps
