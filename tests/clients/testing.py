"""For the tests in Python: stands, and a report of one line a test."""

import json
import os
import subprocess
import sys
import time
import traceback
import unittest
import urllib.request
from contextlib import contextmanager

LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
MODEL = "claude-sonnet-4-6"
ASKED = "the-model"  # what the keys of upstreams call their account's model


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["DESK"] + path, data, {"content-type": "application/json"}, method=method)
    try:
        with LOCAL.open(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["error"]) from None


def read_json(url):
    with LOCAL.open(url, timeout=10) as answer:
        return json.load(answer)


class Stand:
    """A relay with a fake provider behind it (stands.py)."""

    def __init__(self, **wishes):
        self.__dict__.update(ask("POST", "/stands", wishes))
        self.key = self.keys.get("it")

    def requests(self):
        return ask("GET", f"/stands/{self.id}/requests")

    def books(self):
        return ask("GET", f"/stands/{self.id}/books")

    def calls(self):
        return ask("GET", f"/stands/{self.id}/calls")

    def usage(self):
        return ask("GET", f"/stands/{self.id}/usage")

    def close(self):
        ask("DELETE", f"/stands/{self.id}")


class ClientTest(unittest.TestCase):
    """Calls that are served share one stand; after each test the relay's books must equal the provider's."""

    maxDiff = None
    wishes = {}  # of the stand that is shared
    on = None  # the account that a test is at, where it goes through several

    @classmethod
    def setUpClass(cls):
        cls.shared = Stand(**cls.wishes)

    @classmethod
    def tearDownClass(cls):
        cls.shared.close()

    def tearDown(self):
        self.check_usage(self.shared)

    def check_usage(self, stand):
        usage = stand.usage()
        self.assertEqual(usage["relay"], usage["provider"], "what crs usage says, and what the provider served")

    @contextmanager
    def stand(self, *, exact=True, **wishes):
        """A stand of this test alone, for what leaves marks on accounts or (not `exact`) estimates in the books."""
        stand = Stand(**wishes)
        try:
            yield stand
            if exact:
                self.check_usage(stand)
        finally:
            stand.close()

    def eventually(self, holds, seconds=5):
        """Until `holds()` is true; what reaches the relay's books does so behind the call."""
        deadline = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), deadline, "still not so")
            time.sleep(0.1)

    def needs_relay(self):
        if self.shared.direct:
            self.skipTest("without a relay")

    def run_program(self, command, settings, home, work, seconds):
        """A client that is a program, with these settings in an environment that is empty otherwise."""
        environment = {name: os.environ[name] for name in os.environ if name.upper().endswith("_PROXY")}
        environment |= {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb", **settings}
        with self.within(seconds):
            return subprocess.run(
                command, cwd=work, env=environment, timeout=seconds, stdin=subprocess.DEVNULL, capture_output=True,
                text=True,
            )  # fmt: skip

    @contextmanager
    def within(self, seconds):
        start = time.monotonic()
        yield
        self.assertLess(time.monotonic() - start, seconds)


class Lines(unittest.TestResult):
    """`ok NAME SECONDS`, `FAIL NAME SECONDS` and what went wrong, as run.py reads it."""

    start = time.monotonic()

    def startTest(self, test):
        super().startTest(test)
        self.start = time.monotonic()

    def say(self, verdict, test, error=None):
        name = getattr(test, "_testMethodName", str(test)).removeprefix("test_").replace("_", " ")
        seconds = time.monotonic() - self.start
        print(f"{verdict} {seconds:6.2f} s  {name}", flush=True)
        if error:
            print(f"(on {test.on})\n" if getattr(test, "on", None) else "", end="")
            print("".join(traceback.format_exception(*error)), flush=True)

    def addSuccess(self, test):
        self.say("ok", test)

    def addSkip(self, test, reason):
        self.say("skip", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.say("FAIL", test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("FAIL", test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.say("FAIL", test, err)


def main():
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{word.replace(' ', '_')}*" for word in sys.argv[1:]] or None
    result = Lines()
    loader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    sys.exit(not result.wasSuccessful())
