"""Stands: a fake provider and a relay in front of it, for the tests of any language.

The runner serves `Desk` on loopback; a test asks it over HTTP:

    POST   /stands              {"accounts": 1, "keys": {"it": []}, "env": {}, "subscription": {"lifetime_ms": 3000},
                                 "upstreams": ["openai", "gemini"]}
                                ->  {"id", "base", "keys", "provider", "direct"}
    GET    /stands/ID/books     what the relay has recorded beside what the provider has served
    GET    /stands/ID/usage     the same, once they agree or after a while
    GET    /stands/ID/calls     how many calls the relay has recorded
    GET    /stands/ID/requests  what the provider was sent
    DELETE /stands/ID

Each of `upstreams` (the names of UPSTREAMS, perhaps with a number behind: "openai-2") is an account of its own, and
a key by the same name that is bound to it and calls its model "the-model".
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 10
NOTICE_SECONDS = 10  # the relay reads what a command wrote within a second; a busy machine takes longer
SETTLE_SECONDS = 5  # usage reaches the database behind the call
MODEL = "claude-sonnet-4-6"
HOUR_MS = 3_600_000
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


class Upstream:
    """A kind of account at the fake provider, and what it is asked in a client's first call."""

    def __init__(self, kind, *flags, realm=None, path=""):
        self.kind, self.flags, self.realm, self.path = kind, flags, realm, path
        self.service = kind.split("-")[0]
        self.model = {"claude": MODEL, "openai": "gpt-5.1", "gemini": "gemini-2.5-pro"}[self.service]

    def adding(self, name, provider):
        """Arguments of `crs`, and the secret."""
        adding = ["account", "add", "--name", name, "--kind", self.kind, *self.flags, "--secret-stdin"]
        adding += ["--base-url", provider + self.path]
        if not self.realm:
            return adding, f"upstream-secret-{name}"
        wish = {"owner": name, "lifetime_ms": HOUR_MS, "realm": self.realm[0]}
        return [*adding, "--token-url", provider + self.realm[1]], json.dumps(post_json(f"{provider}/__issue", wish))

    def question(self):
        """A call that any client could make: path and body."""
        text = "[[say ready]]"
        turns = [{"role": "user", "content": text}]
        if self.service == "claude":
            return "/api/v1/messages", {"model": self.model, "max_tokens": 16, "messages": turns}
        if self.service == "gemini":
            body = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
            return f"/gemini/v1beta/models/{self.model}:generateContent", body
        return "/openai/responses", {"model": self.model, "input": turns}


UPSTREAMS = {
    "claude": Upstream("claude-api"),
    "claude-sub": Upstream("claude-oauth", realm=("claude", "/v1/oauth/token")),
    "openai": Upstream("openai-api"),
    "openai-chat": Upstream("openai-api", "--speaks", "chat"),
    "openai-responses": Upstream("openai-api", "--speaks", "responses"),
    "chatgpt": Upstream("openai-oauth", realm=("chatgpt", "/oauth/token"), path="/backend-api/codex"),
    "gemini": Upstream("gemini-api"),
    "code-assist": Upstream("gemini-oauth", realm=("google", "/token")),
}


def upstream(name):
    return UPSTREAMS[re.sub(r"-\d+$", "", name)]


class StandError(Exception):
    """A stand could not be set up; the text says why."""


class Server:
    """A program of ours that says `listening on http://…` and is ended by its own process id."""

    def __init__(self, name, command, environment, log):
        self.name, self.log = name, log
        self.out = open(log, "wb")
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT
        )
        try:
            self.url = self._await_address()
        except BaseException:
            self.stop()
            raise

    def _await_address(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # A line that is still being written may end in half a port number.
            found = re.search(r"listening on (http://[\w.:\[\]]+)[^\n]*\n", self.log.read_text(errors="replace"))
            if found:
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise StandError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.out.close()


class Programs:
    """Where the binaries are, and the environment they run in."""

    def __init__(self, crs, fake_provider, proxy, scratch):
        self.crs, self.fake_provider, self.proxy, self.scratch = crs, fake_provider, proxy, scratch

    def environment(self, home):
        return {**self.proxy.environment(home), "PATH": os.environ["PATH"]}


class Stand:
    """One fake provider with one relay and its own data directory. Without a relay: `direct`."""

    def __init__(self, programs, accounts=None, keys=None, env=None, subscription=None, upstreams=()):
        self.programs = programs
        self.home = Path(tempfile.mkdtemp(prefix="stand-", dir=programs.scratch))
        self.data = self.home / "data"
        self.environment = programs.environment(self.home)
        self.relay = None
        self.keys = {}
        self.provider = Server(
            "fake-provider", [programs.fake_provider, "--port", "0"], self.environment, self.home / "provider.log"
        )
        try:
            if programs.crs:
                accounts = accounts if accounts is not None else not upstreams
                keys = keys or ({} if upstreams else {"it": []})
                self._start_relay(accounts, upstreams, keys, env or {}, subscription)
            else:
                self.keys = {name: f"direct-{name}" for name in [*(keys or {"it": []}), *upstreams]}
        except BaseException:
            self.stop()
            raise

    def _start_relay(self, accounts, upstreams, keys, env, subscription):
        command = [self.programs.crs, "serve", "--host", "127.0.0.1", "--port", "0", "--data-dir", self.data]
        self.relay = Server("crs serve", command, {**self.environment, **env}, self.home / "relay.log")
        for number in range(1, accounts + 1):
            adding = ["account", "add", "--name", f"up{number}", "--kind", "claude-api"]
            adding += ["--base-url", self.provider.url, "--secret-stdin"]
            self.crs(*adding, stdin=f"upstream-secret-{number}")
        if subscription:
            self._sign_in(subscription)
        for name in upstreams:
            arguments, secret = upstream(name).adding(name, self.provider.url)
            self.crs(*arguments, stdin=secret)
            it = upstream(name)
            binding = ["--bind", f"{it.service}={name}", "--map", f"the-model={it.model}"]
            self.keys[name] = self.crs("key", "add", "--name", name, *binding)["key"]
        for name, flags in keys.items():
            self.keys[name] = self.crs("key", "add", "--name", name, *flags)["key"]
        asked = upstream("claude") if accounts or subscription else upstream(upstreams[-1])
        self._await_notice(asked)

    def _sign_in(self, subscription):
        """An account of a subscription, `sub`, with tokens that live as long as was wished."""
        tokens = json.dumps(post_json(f"{self.provider.url}/__issue", {"owner": "sub", **subscription}))
        adding = ["account", "add", "--name", "sub", "--kind", "claude-oauth", "--base-url", self.provider.url]
        self.crs(*adding, "--token-url", f"{self.provider.url}/v1/oauth/token", "--secret-stdin", stdin=tokens)

    def crs(self, *arguments, stdin=""):
        """One command on the stand's data directory; its JSON."""
        done = subprocess.run(
            [self.programs.crs, *arguments, "--data-dir", self.data, "--json"],
            env=self.environment, input=stdin, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        if done.returncode != 0:
            raise StandError(f"crs {' '.join(arguments)} exited {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout or "null")

    def _await_notice(self, asked):
        """Until the running relay serves the last key; the call counts on both sides."""
        key = list(self.keys.values())[-1]
        path, body = asked.question()
        headers = {"content-type": "application/json", "x-api-key": key, "anthropic-version": "2023-06-01"}
        headers["user-agent"] = "claude-cli/0 (is the stand ready?)"  # a subscription answers no other client
        deadline = time.monotonic() + NOTICE_SECONDS
        while True:
            asked = urllib.request.Request(self.base + path, json.dumps(body).encode(), headers)
            try:
                with LOCAL.open(asked, timeout=10):
                    return
            except urllib.error.HTTPError as error:
                if time.monotonic() > deadline:
                    raise StandError(f"the relay does not serve a new key: {error.code} {error.read()!r}") from None
            time.sleep(0.05)

    @property
    def base(self):
        return self.relay.url if self.relay else self.provider.url

    def requests(self):
        return read_json(f"{self.provider.url}/__requests")

    def books(self):
        """{"relay", "provider"}: tokens by kind of each model that was billed, as both say at this moment."""
        provider = served_by_model(read_json(f"{self.provider.url}/__served"))
        relay = recorded_by_model(self.crs("usage", "--by", "model", "--since", "1d")) if self.relay else provider
        return {"relay": relay, "provider": provider}

    def calls(self):
        return sum(row["calls"] for row in self.crs("usage", "--by", "model", "--since", "1d")["rows"])

    def usage(self):
        """The books once they agree, or as they are when they still do not after a while."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            books = self.books()
            if books["relay"] == books["provider"] or time.monotonic() > deadline:
                return books
            time.sleep(0.1)

    def describe(self):
        return {"base": self.base, "keys": self.keys, "provider": self.provider.url, "direct": self.relay is None}

    def stop(self):
        for server in (self.relay, self.provider):
            if server:
                server.stop()


def recorded_by_model(answer):
    """What `crs usage --by model --json` says."""
    recorded = {row["model"]: {kind: row[kind] for kind in TOKENS} for row in answer["rows"]}
    return {model: tokens for model, tokens in recorded.items() if any(tokens.values())}


def served_by_model(served):
    """What the provider's own log says of the answers that went out whole."""
    totals = {}
    for answer in served:
        if not (answer["status"] == 200 and answer["delivered_whole"] and any(answer["usage"].values())):
            continue
        total = totals.setdefault(answer["model"], dict.fromkeys(TOKENS, 0))
        usage = answer["usage"]
        total["input_tokens"] += usage["input"]
        total["output_tokens"] += usage["output"]
        total["cache_read_tokens"] += usage["cache_read"]
        total["cache_write_tokens"] += usage["cache_write_5m"] + usage["cache_write_1h"]
    return totals


LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def read_json(url):
    with LOCAL.open(url, timeout=10) as answer:
        return json.load(answer)


def post_json(url, body):
    asked = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with LOCAL.open(asked, timeout=10) as answer:
        return json.load(answer)


class Desk:
    """Hands out stands over HTTP."""

    def __init__(self, programs):
        self.programs = programs
        self.stands = {}
        self.lock = threading.Lock()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, act):
                try:
                    status, body = 200, act()
                except (StandError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
                    status, body = 500, {"error": f"{type(error).__name__}: {error}"}
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_POST(self):
                wishes = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self.answer(lambda: desk.open(wishes))

            def do_GET(self):
                _, _, number, what = self.path.split("/")
                stand = desk.stands[number]
                said = {"usage": stand.usage, "books": stand.books, "calls": stand.calls, "requests": stand.requests}
                self.answer(said[what])

            def do_DELETE(self):
                self.answer(lambda: desk.close(self.path.split("/")[2]))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def open(self, wishes):
        stand = Stand(self.programs, **wishes)
        with self.lock:
            number = str(len(self.stands) + 1)
            self.stands[number] = stand
        return {"id": number, **stand.describe()}

    def close(self, number):
        self.stands[number].stop()
        return {}

    def close_all(self):
        self.server.shutdown()
        for stand in self.stands.values():
            stand.stop()
