#!/usr/bin/env python3
"""First figures: what the relay costs beside nginx, in one run.

CPU is read from /proc for the whole process (for nginx: its one worker), so that a busy machine
shifts wall times but hardly the ratios. Load comes from wrk; the provider is the test kit's fast one.

    make bench        builds what is measured, installs nginx and wrk, and runs this
"""

import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")
ROUNDS = 3
MODEL = "claude-sonnet-4-6"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) / 1024


def body(kilobytes, stream=False, directive=""):
    text = directive or "hello"
    message = {"model": MODEL, "max_tokens": 1000, "stream": stream, "messages": []}
    message["messages"] = [{"role": "user", "content": text}]
    room = kilobytes * 1024 - len(json.dumps(message))
    words = "The quick brown fox jumps over the lazy dog. "
    message["messages"][0]["content"] = (words * (max(room, 0) // len(words) + 1))[: max(room, 0)] + text
    return json.dumps(message)


class Setting:
    """The three processes: provider, nginx and relay, each in front of the same provider."""

    def __init__(self, bins, nginx, folder):
        self.folder = folder
        self.children = []
        self.provider = free_port()
        self.spawn([bins / "fake-provider", "--fast", "--port", str(self.provider)])
        wait_for(self.provider)
        self.start_nginx(nginx)
        self.start_relay(bins / "crs")

    def spawn(self, command, **more):
        child = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        self.children.append(child)
        return child

    def start_nginx(self, nginx):
        port = free_port()
        (self.folder / "nginx.conf").write_text(f"""
            worker_processes 1; daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;
            events {{ worker_connections 20000; }}
            http {{
                access_log {self.folder}/access.log;
                client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
                fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
                client_max_body_size 64m; client_body_buffer_size 1m; keepalive_requests 1000000;
                upstream provider {{ server 127.0.0.1:{self.provider}; keepalive 1024; keepalive_requests 1000000; }}
                server {{
                    listen 127.0.0.1:{port};
                    location / {{ proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
                }}
            }}""")
        master = self.spawn([nginx, "-p", self.folder, "-c", self.folder / "nginx.conf"])
        wait_for(port)
        workers = pathlib.Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        self.nginx = (int(workers[0]), port, "/v1/messages", "")

    def start_relay(self, crs):
        port = free_port()
        data = self.folder / "data"
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TZ": "UTC"}
        relay = self.spawn([crs, "serve", "--host", "127.0.0.1", "--port", str(port), "--data-dir", data], env=env, cwd=self.folder)
        wait_for(port)
        def run(*arguments, stdin=""):
            done = subprocess.run([str(crs), *arguments, "--data-dir", str(data), "--json"], input=stdin, text=True, capture_output=True, env=env, cwd=self.folder, check=True)
            return json.loads(done.stdout)
        run("account", "add", "--name", "fast", "--kind", "claude-api", "--base-url", f"http://127.0.0.1:{self.provider}", "--secret-stdin", stdin="upstream-fast")
        key = run("key", "add", "--name", "bench")["key"]
        time.sleep(1)
        self.idle_mb = memory_mb(relay.pid)
        self.relay = (relay.pid, port, "/api/v1/messages", key)

    def stop(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            child.wait(timeout=40)


def load(target, content, connections, seconds, folder):
    """Runs wrk; returns the CPU per call in microseconds, calls a second and calls that failed."""
    pid, port, path, key = target
    (folder / "body.json").write_text(content)
    (folder / "post.lua").write_text(f"""
        wrk.method = "POST"
        local file = io.open("{folder}/body.json"); wrk.body = file:read("*a"); file:close()
        wrk.headers["content-type"] = "application/json"
        wrk.headers["anthropic-version"] = "2023-06-01"
        wrk.headers["x-api-key"] = "{key}"
        """)
    before = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(folder / "post.lua"), f"http://127.0.0.1:{port}{path}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(pid) - before
    calls = int(re.search(r"(\d+) requests in", printed).group(1))
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", printed).group(1))
    return used / max(calls, 1) * 1e6, rate, int(failed.group(1)) if failed else 0


def pairs(setting, content, connections, seconds, per_call=1):
    """Medians of interleaved rounds: nginx, relay, ratio, failures."""
    rounds = []
    for _ in range(ROUNDS):
        nginx, _, lost = load(setting.nginx, content, connections, seconds, setting.folder)
        relay, rate, failed = load(setting.relay, content, connections, seconds, setting.folder)
        rounds.append((nginx / per_call, relay / per_call, relay / nginx, rate, lost + failed))
    return [statistics.median(column) for column in zip(*rounds)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", required=True, type=pathlib.Path)
    parser.add_argument("--nginx", required=True)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crs-bench-") as folder:
        setting = Setting(options.bin_dir.resolve(), options.nginx, pathlib.Path(folder))
        try:
            print(f"idle memory: {setting.idle_mb:.1f} MB\n")
            print("| unary body, connections | nginx µs CPU/call | relay µs CPU/call | ratio | relay calls/s | failed |")
            print("|---|---|---|---|---|---|")
            for kilobytes in (1, 50):
                for connections in (16, 64):
                    n, r, ratio, rate, failed = pairs(setting, body(kilobytes), connections, options.seconds)
                    print(f"| {kilobytes} KB, {connections} | {n:.1f} | {r:.1f} | {ratio:.2f} | {rate:.0f} | {failed:.0f} |", flush=True)
            print("\n| paced streams (10 events a second each) | nginx µs CPU/event | relay µs CPU/event | ratio | failed |")
            print("|---|---|---|---|---|")
            for streams in (200, 1000):
                events = 40
                content = body(1, stream=True, directive=f"[[paced {events} 100]]")
                n, r, ratio, _, failed = pairs(setting, content, streams, 9, per_call=events)
                print(f"| {streams} | {n:.1f} | {r:.1f} | {ratio:.2f} | {failed:.0f} |", flush=True)
        finally:
            setting.stop()


if __name__ == "__main__":
    main()
