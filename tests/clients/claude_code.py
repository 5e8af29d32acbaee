"""Claude Code, headless, against the relay."""

import json
import tempfile
from pathlib import Path

from testing import ASKED, MODEL, ClientTest, main, read_json

HERE = Path(__file__).parent
SECONDS = 40


def program():
    """The program itself and not its wrapper in Node.js, so that the process we start is the one we end."""
    found = sorted(HERE.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    if not found:
        raise AssertionError("Claude Code is not installed: no package of it fits this machine")
    return str(found[0])


class ClaudeCodeTest(ClientTest):
    def setUp(self):
        self.home = Path(tempfile.mkdtemp(prefix="home-"))
        self.work = Path(tempfile.mkdtemp(prefix="work-"))

    def run_claude(self, *arguments, base=None, seconds=SECONDS, **credential):
        settings = {
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ANTHROPIC_BASE_URL": base or self.shared.base + ("" if self.shared.direct else "/api"),
            **(credential or {"ANTHROPIC_AUTH_TOKEN": self.shared.key}),
        }
        return self.run_program([program(), "-p", *arguments], settings, self.home, self.work, seconds)

    def answer(self, *arguments, **how):
        done = self.run_claude(*arguments, "--output-format", "json", **how)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)



class ClaudeCode(ClaudeCodeTest):
    def totals(self):
        """Tokens by kind of all that was served so far."""
        provider = self.shared.usage()["provider"].values()
        kinds = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
        return {kind: sum(model[kind] for model in provider) for kind in kinds}

    def test_an_answer_with_an_auth_token(self):
        done = self.run_claude("please [[say hello from 上游]]")
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "hello from 上游"), done.stderr)

    def test_an_answer_with_an_api_key_and_a_base_that_ends_in_a_slash(self):
        base = self.shared.base + ("/" if self.shared.direct else "/api/")
        done = self.run_claude("please [[say slash]]", base=base, ANTHROPIC_API_KEY=self.shared.key)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "slash"), done.stderr)

    def test_a_chosen_model_and_the_usage_that_the_client_shows(self):
        before = self.totals()
        answer = self.answer("[[say counted]]", "--model", MODEL)
        self.assertEqual(list(answer["modelUsage"]), [MODEL])
        spent = {kind: count - before[kind] for kind, count in self.totals().items()}
        shown = answer["usage"]
        self.assertEqual(
            spent,
            {
                "input_tokens": shown["input_tokens"],
                "output_tokens": shown["output_tokens"],
                "cache_read_tokens": shown["cache_read_input_tokens"],
                "cache_write_tokens": shown["cache_creation_input_tokens"],
            },
        )

    def test_a_shell_command_runs_and_its_output_goes_upstream(self):
        wish = {"command": "echo sum-$((40 + 2)) from $(basename $PWD)", "description": "add"}
        answer = self.answer(f"please [[tool Bash {json.dumps(wish)}]]", "--allowedTools", "Bash")
        self.assertEqual(answer["num_turns"], 2)
        self.assertIn(f"sum-42 from {self.work.name}", answer["result"])

    def test_a_file_is_read_and_goes_upstream(self):
        (self.work / "note.txt").write_text("the note says 四十二\n")
        wish = {"file_path": str(self.work / "note.txt")}
        answer = self.answer(f"please [[tool Read {json.dumps(wish)}]]", "--allowedTools", "Read")
        self.assertIn("the note says 四十二", answer["result"])

    def test_a_conversation_goes_on(self):
        self.answer("[[say first]]")
        answer = self.answer("[[say second]]", "--continue")
        self.assertEqual(answer["result"], "second")
        self.assertGreater(answer["usage"]["cache_read_input_tokens"], 0)

    def test_a_stream_of_events(self):
        done = self.run_claude("[[say streamed]]", "--output-format", "stream-json", "--verbose")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(events[-1]["result"], "streamed")

    def test_a_wrong_key_ends_soon_in_both_forms(self):
        self.needs_relay()
        for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"):
            with self.subTest(name):
                done = self.run_claude("hello", seconds=30, **{name: "cr_not-a-key"})
                self.assertEqual(done.returncode, 1)
                self.assertIn("401", done.stdout + done.stderr)

    def test_a_model_that_is_not_permitted_ends_soon(self):
        self.needs_relay()
        with self.stand(env={"UNKNOWN_PRICE": "refuse"}) as stand:
            key = {"ANTHROPIC_AUTH_TOKEN": stand.keys["it"]}
            done = self.run_claude("hello", "--model", "unpriced-model", base=f"{stand.base}/api", seconds=30, **key)
            self.assertEqual(done.returncode, 1)
            self.assertIn("unpriced-model", done.stdout + done.stderr)

    def test_a_subscription_goes_on_when_its_token_has_ended(self):
        self.needs_relay()
        with self.stand(accounts=0, subscription={"lifetime_ms": 2000}) as stand:
            key = {"ANTHROPIC_AUTH_TOKEN": stand.keys["it"]}
            for word in ("first", "second", "third"):
                done = self.run_claude(f"please [[say {word}]]", base=f"{stand.base}/api", **key)
                self.assertEqual((done.returncode, done.stdout.strip()), (0, word), done.stderr)
            seen = read_json(f"{stand.provider}/__refreshes")
            self.eventually(lambda: len(read_json(f"{stand.provider}/__refreshes")["refreshes"]) >= 2)
            self.assertEqual(seen["reused"], 0)
            # The client's own betas arrive beside the one that the sign-in needs.
            betas = [" ".join(request["beta"]) for request in stand.requests() if request["owner"] == "sub"]
            self.assertTrue(any("claude-code" in beta and "oauth-2025-04-20" in beta for beta in betas), betas)

    def test_a_fault_of_the_caller_shows_what_the_provider_said(self):
        done = self.run_claude("[[status 400 this is what the provider said]]", seconds=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("this is what the provider said", done.stdout + done.stderr)


class Elsewhere(ClaudeCodeTest):
    """On accounts of other families, by an alias of the key."""

    wishes = {"upstreams": ["openai-responses", "openai-chat", "chatgpt", "gemini", "code-assist"]}

    def of_each(self):
        for self.on in self.wishes["upstreams"]:
            yield {"ANTHROPIC_AUTH_TOKEN": self.shared.keys[self.on]}

    def test_an_answer(self):
        for key in self.of_each():
            answer = self.answer(f"please [[say hello from {self.on} 上游]]", "--model", ASKED, **key)
            self.assertEqual(answer["result"], f"hello from {self.on} 上游")
            self.assertGreater(answer["usage"]["input_tokens"], 0)
            self.assertGreater(answer["usage"]["output_tokens"], 0)

    def test_two_files_are_read_at_once_and_go_upstream(self):
        wishes = []
        for number in ("四十一", "四十二"):
            note = self.work / f"{number}.txt"
            note.write_text(f"the note says {number}\n")
            wishes.append(f"[[tool Read {json.dumps({'file_path': str(note)})}]]")
        for key in self.of_each():
            answer = self.answer(f"please {' '.join(wishes)}", "--model", ASKED, "--allowedTools", "Read", **key)
            self.assertIn("the note says 四十一", answer["result"])
            self.assertIn("the note says 四十二", answer["result"])

    def test_a_conversation_goes_on(self):
        for key in self.of_each():
            self.answer("[[say first]]", "--model", ASKED, **key)
            answer = self.answer("[[say second]]", "--continue", "--model", ASKED, **key)
            self.assertEqual(answer["result"], "second")
            self.assertGreater(answer["usage"]["cache_read_input_tokens"], 0)

    def test_a_fault_of_the_caller_shows_what_the_provider_said(self):
        for key in self.of_each():
            wish = "[[status 400 this is what the provider said]]"
            done = self.run_claude(wish, "--model", ASKED, seconds=30, **key)
            self.assertEqual(done.returncode, 1)
            self.assertIn("this is what the provider said", done.stdout + done.stderr)


if __name__ == "__main__":
    main()
