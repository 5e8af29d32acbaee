#!/usr/bin/env python3
"""What the compiler cannot see: sizes of files, and texts that must not stand in the repository.

    scripts/check_sources.py [TOP]     prints what is wrong, one line each, and exits 1 when anything is
"""

import re
import subprocess
import sys
from pathlib import Path

WISHED_LINES = 400
MOST_LINES = 800

SOURCES = {".rs", ".ts", ".tsx", ".js", ".mjs", ".py", ".sh"}
LOCK_FILES = {"Cargo.lock", "package-lock.json"}
# Files of bytes that nobody wrote by hand are looked at for secrets and paths, not for size.
GENERATED = re.compile(r"(^|/)(generated|golden|fixtures|snapshots)/|schema\.d\.ts$")
TESTS = re.compile(r"(^|/)tests?(/|\.)|[._]test\.|(^|/)test_")

# Written in pieces, so that this file does not match itself.
HOSTS = re.compile(
    "|".join(
        re.escape(".".join(name))
        for name in [
            ("registry", "npmjs", "org"),
            ("index", "crates", "io"),
            ("static", "crates", "io"),
            ("pythonhosted", "org"),
            ("pypi", "org"),
            ("deb", "debian", "org"),
            ("registry", "yarnpkg", "com"),
        ]
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.~})-])/(?:" + "|".join(["work", "root", "home/[a-z]\\w*"]) + r")/[\w.]")
SECRETS = re.compile(
    r"sk-ant-[A-Za-z0-9_-]{24,}|\bsk-(?:proj-)?[A-Za-z0-9]{32,}|\bcr_[0-9a-f]{40,}|\bAIza[0-9A-Za-z_-]{35}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bGOCSPX-[\w-]{20,}|\bya29\.[\w-]{20,}|\bgh[pousr]_[A-Za-z0-9]{36}"
    r"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
)
ALLOW = re.compile(r"#!?\[\s*(?:cfg_attr\(.*,\s*)?allow\s*\(")


def files(top: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=top, capture_output=True, check=True
    )
    return sorted(name for name in listed.stdout.decode().split("\0") if name and (top / name).is_file())


def lines_without_tests(text: str) -> int:
    """Lines of a Rust file, its `#[cfg(test)] mod name { … }` blocks left out."""
    counted = 0
    waiting = inside = False
    for line in text.splitlines():
        if inside:
            inside = line != "}"
        elif waiting and re.match(r"(pub )?mod \w+ \{", line):
            waiting, inside = False, not line.endswith("}")
            counted -= 1
        else:
            waiting = line == "#[cfg(test)]" or (waiting and line.startswith("#["))
            counted += 1
    return counted


def faults_of(name: str, text: str, own_path: str):
    """Yields (line, what is wrong) for texts that must not stand in a file."""
    for number, line in enumerate(text.splitlines(), 1):
        if name.endswith(".rs") and ALLOW.search(line):
            yield number, 'an attribute `allow`: write #[expect(lint, reason = "…")]'
        if Path(name).name in LOCK_FILES:
            continue
        if HOSTS.search(line):
            yield number, "names the host of a package registry"
        if MACHINE_PATHS.search(line) or own_path in line:
            yield number, "an absolute path of one machine"
        if SECRETS.search(line):
            yield number, "looks like a secret; build such values at run time"


def main() -> int:
    top = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    faults, notes = [], []
    for name in files(top):
        try:
            text = (top / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        faults += [f"{name}:{number}: {what}" for number, what in faults_of(name, text, f"{top}/")]
        if Path(name).suffix in SOURCES and not GENERATED.search(name):
            length = lines_without_tests(text) if name.endswith(".rs") else len(text.splitlines())
            if length > MOST_LINES:
                faults.append(f"{name}: {length} lines; the limit is {MOST_LINES}")
            elif length > WISHED_LINES and not TESTS.search(name):
                notes.append(f"{name}: {length} lines; past {WISHED_LINES} a file should be split where it holds two ideas")
    for kind in ("*.snap.new", "*.pending-snap"):
        for found in top.glob(f"crates/**/{kind}"):
            faults.append(f"{found.relative_to(top)}: a snapshot that nobody has accepted or refused")
    for line in notes:
        print(f"note: {line}")
    for line in faults:
        print(line)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
