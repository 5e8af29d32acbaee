"""Codex, headless, against the relay: as a custom provider over SSE, and as the built-in one over a WebSocket."""

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

from tap import Tap
from testing import ASKED, ClientTest, main

HERE = Path(__file__).parent
SECONDS = 40
COMMON = """
check_for_update_on_startup = false
[analytics]
enabled = false
[otel]
exporter = "none"
"""
CUSTOM = """
model_provider = "crs"
{common}
[model_providers.crs]
name = "crs"
base_url = "{base}/openai"
wire_api = "responses"
env_key = "CRS_API_KEY"
"""
UPSTREAMS = ["openai", "openai-responses", "openai-chat", "chatgpt", "claude", "gemini"]
NEWEST = "gpt-6.1-sol"  # a model that this Codex knows, so it sends its tools as an item of the input
FAILS_OVER = "[[status 500 key=upstream-secret-openai]] "


def program():
    """The program itself and not its wrapper in Node.js, so that the process we start is the one we end."""
    found = sorted(HERE.glob("node_modules/@openai/codex-*/vendor/*/bin/codex"))
    if not found:
        raise AssertionError("Codex is not installed: no package of it fits this machine")
    return str(found[0])


class Run:
    """What Codex printed."""

    def __init__(self, done):
        self.status, self.printed = done.returncode, done.stdout + done.stderr
        self.events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        items = [event["item"] for event in self.events if event["type"] == "item.completed"]
        self.said = [item["text"] for item in items if item["type"] == "agent_message"]
        self.commands = [item["aggregated_output"] for item in items if item["type"] == "command_execution"]
        turns = [event["usage"] for event in self.events if event["type"] == "turn.completed"]
        self.usage = turns[-1] if turns else None


class CodexTest(ClientTest):
    builtin = False

    def setUp(self):
        self.home = Path(tempfile.mkdtemp(prefix="home-"))
        self.work = Path(tempfile.mkdtemp(prefix="work-"))

    def codex(self, prompt, *arguments, key, base=None, model=ASKED, seconds=SECONDS, resume=False):
        """Runs it once. `key` is a key, or the name of one of the shared stand."""
        key = self.shared.keys.get(key, key)
        base = base or self.shared.base
        (self.home / ".codex").mkdir(exist_ok=True)
        if self.builtin:
            settings = f'openai_base_url = "{base}/openai"\n{COMMON}'
            (self.home / ".codex/auth.json").write_text(json.dumps({"OPENAI_API_KEY": key}))
        else:
            settings = CUSTOM.format(base=base, common=COMMON)
        (self.home / ".codex/config.toml").write_text(f'model = "{model}"\n{settings}')
        how = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        command = [program(), "exec", *how, *arguments, *(["resume", "--last"] if resume else []), prompt]
        return Run(self.run_program(command, {"CRS_API_KEY": key}, self.home, self.work, seconds))

    @contextmanager
    def tapped(self, stand=None):
        tap = Tap((stand or self.shared).base)
        try:
            yield tap
        finally:
            tap.close()

    def assert_said(self, run, *texts):
        self.assertEqual((run.status, run.said), (0, list(texts)), run.printed)


class Served:
    """What is the same over SSE and over a WebSocket."""

    wishes = {"upstreams": UPSTREAMS}

    def test_an_answer_of_every_kind_of_account(self):
        for name in UPSTREAMS:
            with self.subTest(name):
                self.assert_said(self.codex(f"please [[say hello from {name} 上游]]", key=name), f"hello from {name} 上游")

    def test_a_shell_command_runs_and_its_output_goes_upstream(self):
        for name in UPSTREAMS:
            with self.subTest(name):
                wish = {"cmd": "echo sum-$((40 + 2)) from $(basename $PWD)"}
                run = self.codex(f"please [[tool exec_command {json.dumps(wish)}]]", key=name)
                self.assertEqual(run.status, 0, run.printed)
                self.assertEqual(run.commands, [f"sum-42 from {self.work.name}\n"])
                self.assertIn(f"sum-42 from {self.work.name}", run.said[-1])

    def test_two_commands_at_once(self):
        for name in ("openai", "claude", "gemini"):
            with self.subTest(name):
                run = self.codex(
                    'please [[tool exec_command {"cmd": "echo one"}]] [[tool exec_command {"cmd": "echo two"}]]', key=name
                )
                self.assertEqual(sorted(run.commands), ["one\n", "two\n"], run.printed)
                self.assertIn("two", run.said[-1])

    def test_the_newest_model_with_its_own_tools(self):
        for name in ("openai", "chatgpt", "claude"):
            with self.subTest(name):
                run = self.codex("please [[say newest]]", key=f"newest-{name}", model=NEWEST)
                self.assert_said(run, "newest")

    def test_the_usage_that_the_client_shows(self):
        for name in ("openai", "chatgpt", "openai-chat"):
            with self.subTest(name):
                before = self.shared.usage()["provider"]["gpt-5.1"]
                run = self.codex("please [[say counted]]", key=name)
                after = self.shared.usage()["provider"]["gpt-5.1"]
                spent = {kind: after[kind] - before[kind] for kind in before}
                self.assertEqual(
                    (run.usage["input_tokens"], run.usage["cached_input_tokens"], run.usage["output_tokens"]),
                    (spent["input_tokens"] + spent["cache_read_tokens"], spent["cache_read_tokens"], spent["output_tokens"]),
                )

    def test_a_conversation_goes_on(self):
        for name in ("openai", "chatgpt", "claude"):
            with self.subTest(name):
                self.assert_said(self.codex("[[say first]]", key=name), "first")
                run = self.codex("[[say second]]", key=name, resume=True)
                self.assert_said(run, "second")
                self.assertGreater(run.usage["cached_input_tokens"], 0)

    def test_a_fault_of_the_caller_shows_what_the_provider_said(self):
        for name in ("openai", "claude"):
            with self.subTest(name):
                run = self.codex("[[status 400 this is what the provider said]]", key=name, seconds=30)
                self.assertEqual(run.status, 1)
                self.assertIn("this is what the provider said", run.printed)

    def test_a_wrong_key_ends_soon(self):
        run = self.codex("hello", key="cr_not-a-key", seconds=30)
        self.assertEqual(run.status, 1)
        self.assertIn("401", run.printed)

    def test_a_fault_of_one_account_is_not_seen(self):
        with self.stand(upstreams=["openai", "openai-2"], keys={"it": []}) as stand:
            for number in range(3):
                run = self.codex(f"{FAILS_OVER} [[say over {number}]]", key=stand.key, base=stand.base, model="gpt-5.1")
                self.assert_said(run, f"over {number}")
            asked = {request["api_key"] for request in stand.requests()}
            self.assertEqual(asked, {"upstream-secret-openai", "upstream-secret-openai-2"})

    def test_a_limit_is_shown_and_not_fought(self):
        limited = {"limited": ["--requests", "1", "--window", "5h"]}
        with self.stand(upstreams=["openai"], keys={**limited, "it": []}) as stand:
            key = stand.keys["limited"]
            with self.tapped(stand) as tap:
                wish = 'please [[tool exec_command {"cmd": "echo once"}]]'
                run = self.codex(wish, key=key, base=tap.url, model="gpt-5.1", seconds=30)
            self.assertEqual((run.status, run.commands), (1, ["once\n"]), run.printed)
            self.assertRegex(run.printed, "(?i)limit")
            calls = [request for request in stand.requests() if "echo once" in json.dumps(request["body"])]
            self.assertEqual(len(calls), 1, "what is refused goes no further")
            self.check_limit(tap)


class Custom(Served, CodexTest):
    wishes = {
        **Served.wishes,
        "keys": {
            "newest-openai": ["--bind", "openai=openai"],
            "newest-chatgpt": ["--bind", "openai=chatgpt"],
            "newest-claude": ["--bind", "claude=claude", "--map", f"{NEWEST}=claude-sonnet-4-6"],
        },
    }

    def check_limit(self, tap):
        self.assertEqual(tap.sockets, 0)
        self.assertLess(len(tap.asked), 9, tap.asked)


class BuiltIn(Served, CodexTest):
    wishes = Custom.wishes
    builtin = True

    def check_limit(self, tap):
        refused = [message for message in tap.told if message["type"] == "error"]
        self.assertEqual({message["status"] for message in refused}, {429}, tap.told)
        self.assertLess(len(tap.sent), 9, "it does not replay for long")

    def test_it_speaks_over_a_websocket_and_its_warm_up_is_free(self):
        for name in UPSTREAMS:
            with self.subTest(name), self.tapped() as tap:
                self.check_usage(self.shared)  # what was served before is in the books
                sent, calls = len(self.shared.requests()), self.shared.calls()
                wish = 'please [[tool exec_command {"cmd": "echo twice"}]]'
                run = self.codex(wish, key=name, base=tap.url)
                self.assertEqual(run.commands, ["twice\n"], run.printed)
                self.assertEqual((tap.asked, tap.sockets), (["GET /openai/responses"], 1))
                warming = [message.get("generate") is False for message in tap.sent]
                self.assertEqual(warming, [True, False, False])
                # The relay asks for a subscription's windows when it likes, beside the calls.
                seen = self.shared.requests()[sent:]
                reached = [request["path_and_query"] for request in seen if request["method"] == "POST"]
                self.assertEqual(len(reached), 2, reached)
                self.eventually(lambda calls=calls: self.shared.calls() - calls >= 2)
                self.assertEqual(self.shared.calls() - calls, 2, "the warm-up is no call")
                # The second turn goes on from the first by its name alone, and the provider has both.
                self.assertTrue(tap.sent[2]["previous_response_id"])
                self.assertIn("twice", run.said[-1])


if __name__ == "__main__":
    main()
