#!/usr/bin/env python3
"""Drives the real clients against the relay. `make test-clients` builds and installs what this needs, then runs it.

    run.py [--bin-dir DIR] [--direct] [--suite NAME] [WORD…]

The binaries `crs` and `fake-provider` come from CRS_BIN and FAKE_PROVIDER_BIN, or from DIR (target/debug).
WORDs choose tests by name. --direct leaves out the relay: it shows whether clients and provider fit each other.
Every client has an empty home and no way out but a proxy that refuses; what it tried there is shown at the end.
"""

import argparse
import collections
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from outside import RefusingProxy
from stands import Desk, Programs

HERE = Path(__file__).resolve().parent
SUITES = {  # those that take longest first
    "codex": [sys.executable, "codex.py"],
    "gemini-cli": [sys.executable, "gemini_cli.py"],
    "claude-code": [sys.executable, "claude_code.py"],
    "openai-python": [sys.executable, "openai_python.py"],
    "openai-js": ["node", "--test-reporter=./reporter.mjs", "openai_js.mjs"],
    "genai-python": [sys.executable, "genai_python.py"],
    "genai-js": ["node", "--test-reporter=./reporter.mjs", "genai_js.mjs"],
    "anthropic-python": [sys.executable, "anthropic_python.py"],
    "anthropic-js": ["node", "--test-reporter=./reporter.mjs", "anthropic_js.mjs"],
}
DIRECTLY = ["anthropic-python", "anthropic-js", "claude-code"]  # those that a provider can serve without a relay
SUITE_SECONDS = 200
AT_ONCE = threading.Semaphore(3)  # suites: much of a test is waiting for a client to start
VERDICT = re.compile(r"^(ok|FAIL|skip) +[\d.]+ s  ", re.MULTILINE)


class Suite(threading.Thread):
    """One program that prints a line for each of its tests."""

    def __init__(self, name, command, words, desk, scratch, programs):
        super().__init__()
        self.name, self.proxy = name, RefusingProxy()
        if words:
            pattern = ["--test-name-pattern=" + "|".join(re.escape(word) for word in words)]
            command = [command[0], *pattern, *command[1:]] if command[0] == "node" else [*command, *words]
        self.command = command
        home = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=scratch))
        self.environment = {**self.proxy.environment(home), "PATH": os.environ["PATH"], "DESK": desk.url}
        self.environment |= {"PYTHONDONTWRITEBYTECODE": "1"} | ({} if programs.crs else {"DIRECT": "1"})
        self.output, self.seconds = "", 0.0

    def run(self):
        with AT_ONCE:
            self.run_now()

    def run_now(self):
        start = time.monotonic()
        process = subprocess.Popen(
            self.command, cwd=HERE, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            self.output, _ = process.communicate(timeout=SUITE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the session that was started above, nobody else's
            self.output, _ = process.communicate()
            self.output += f"\nstopped after {SUITE_SECONDS} s\n"
        self.seconds = time.monotonic() - start
        self.status = process.returncode

    def verdicts(self):
        """How many tests passed, failed, were left out; a suite that ends badly without a word is a failure."""
        count = collections.Counter(VERDICT.findall(self.output))
        if self.status != 0 and not count["FAIL"]:
            count["FAIL"] = 1
        return count


def binary(variable, directory, name):
    path = Path(os.environ.get(variable) or directory / name).resolve()
    if not path.is_file():
        sys.exit(f"no {name} at {path}: build it, or set {variable}")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, default=HERE.parents[1] / "target" / "debug")
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--suite", action="append", choices=SUITES)
    parser.add_argument("words", nargs="*", metavar="WORD")
    options = parser.parse_args()

    servers_proxy = RefusingProxy()
    with tempfile.TemporaryDirectory(prefix="crs-clients-", ignore_cleanup_errors=True) as scratch:
        crs = None if options.direct else binary("CRS_BIN", options.bin_dir, "crs")
        fake = binary("FAKE_PROVIDER_BIN", options.bin_dir, "fake-provider")
        programs = Programs(crs, fake, servers_proxy, scratch)
        desk = Desk(programs)
        names = options.suite or (DIRECTLY if options.direct else list(SUITES))
        suites = [Suite(name, SUITES[name], options.words, desk, scratch, programs) for name in names]
        try:
            for suite in suites:
                suite.start()
            for suite in suites:
                suite.join()
        finally:
            desk.close_all()

    total = collections.Counter()
    for suite in suites:
        print(f"== {suite.name} ({suite.seconds:.1f} s)\n{suite.output.rstrip()}")
        total += suite.verdicts()
    for name, proxy in [*((suite.name, suite.proxy) for suite in suites), ("crs and fake-provider", servers_proxy)]:
        for attempt, times in collections.Counter(proxy.attempts).items():
            print(f"== {name} tried to reach outside, refused: {attempt} ({times}×)")
    if servers_proxy.attempts:
        print("FAIL the relay must reach nothing but its accounts' addresses")
        total["FAIL"] += 1
    if not total["ok"] and not total["FAIL"]:
        sys.exit("no test has this name")
    if total["skip"]:
        print(f"{total['skip']} left out")
    print(f"{total['ok']} passed, {total['FAIL']} failed")
    sys.exit(1 if total["FAIL"] else 0)


if __name__ == "__main__":
    main()
