"""Gemini CLI, headless, against the relay: signed in (Code Assist), and with an API key."""

import json
import tempfile
from pathlib import Path

from testing import ClientTest, main

HERE = Path(__file__).parent
SECONDS = 40
MODEL = "gemini-2.5-pro"
SETTINGS = {
    "general": {"enableAutoUpdate": False, "disableAutoUpdate": True, "disableUpdateNag": True},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
}


class GeminiCliTest(ClientTest):
    signed_in = False

    def setUp(self):
        self.home = Path(tempfile.mkdtemp(prefix="home-"))
        self.work = Path(tempfile.mkdtemp(prefix="work-"))

    def gemini(self, prompt, *arguments, key, base=None, model=MODEL, seconds=SECONDS):
        """Runs it once. `key` is a key, or the name of one of the shared stand."""
        key, base = self.shared.keys.get(key, key), f"{base or self.shared.base}/gemini"
        settings = dict(SETTINGS)
        if self.signed_in:
            environment = {"CODE_ASSIST_ENDPOINT": base, "GOOGLE_CLOUD_ACCESS_TOKEN": key, "GOOGLE_GENAI_USE_GCA": "true"}
        else:
            environment = {"GEMINI_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": base}
            settings["security"] = {"auth": {"selectedType": "gemini-api-key"}}
        (self.home / ".gemini").mkdir(exist_ok=True)
        (self.home / ".gemini/settings.json").write_text(json.dumps(settings))
        package = HERE / "node_modules/@google/gemini-cli"
        program = package / json.loads((package / "package.json").read_text())["bin"]["gemini"]
        # Its own child process would outlive it when a test has to end it.
        environment["GEMINI_CLI_NO_RELAUNCH"] = "true"
        command = ["node", program, "--skip-trust", *(["-m", model] if model else []), *arguments, "-p", prompt]
        return self.run_program(command, environment, self.home, self.work, seconds)

    def answer(self, *arguments, **how):
        done = self.gemini(*arguments, "-o", "json", **how)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)


class Served:
    wishes = {"upstreams": ["gemini", "code-assist"]}
    own, secret = "gemini", "upstream-secret-gemini"

    def test_an_answer_of_both_kinds_of_account(self):
        for name in self.wishes["upstreams"]:
            with self.subTest(name):
                done = self.gemini(f"please [[say hello from {name} 上游]]", key=name)
                self.assertEqual((done.returncode, done.stdout.strip()), (0, f"hello from {name} 上游"), done.stderr)

    def test_a_model_that_the_client_chooses_by_asking_one(self):
        done = self.gemini("please [[say routed]]", key=self.own, model=None)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "routed"), done.stderr)
        self.assertTrue(any(":generateContent" in request["path_and_query"] for request in self.shared.requests()))

    def test_a_shell_command_runs_and_its_output_goes_upstream(self):
        wish = {"command": "echo sum of 40 and 2", "description": "add"}
        answer = self.answer(f"please [[tool run_shell_command {json.dumps(wish)}]]", "--yolo", key=self.own)
        self.assertIn("Output: sum of 40 and 2", answer["response"])

    def test_the_usage_that_the_client_shows(self):
        before = self.shared.usage()["provider"].get(MODEL, {})
        answer = self.answer("please [[say counted]]", key=self.own)
        spent = {kind: count - before.get(kind, 0) for kind, count in self.shared.usage()["provider"][MODEL].items()}
        shown = answer["stats"]["models"][MODEL]["tokens"]
        self.assertEqual(
            (shown["prompt"], shown["cached"], shown["candidates"]),
            (spent["input_tokens"] + spent["cache_read_tokens"], spent["cache_read_tokens"], spent["output_tokens"]),
        )

    def test_a_fault_of_the_caller_shows_what_the_provider_said(self):
        done = self.gemini("[[status 400 this is what the provider said]]", key=self.own, seconds=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("this is what the provider said", done.stdout + done.stderr)

    def test_a_wrong_key_ends_soon(self):
        done = self.gemini("hello", key="cr_not-a-key", seconds=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, "(?i)401|unknown|key")

    def test_a_fault_of_one_account_is_not_seen(self):
        with self.stand(upstreams=[self.own, f"{self.own}-2"], keys={"it": []}) as stand:
            for number in range(2):
                done = self.gemini(f"[[status 500 key={self.secret}]] [[say over {number}]]", key=stand.key, base=stand.base)
                self.assertEqual((done.returncode, done.stdout.strip()), (0, f"over {number}"), done.stderr)
            calls = [request for request in stand.requests() if "say over" in json.dumps(request["body"])]
            self.assertEqual(len({request["api_key"] for request in calls}), 2)


class SignedIn(Served, GeminiCliTest):
    signed_in, own, secret = True, "code-assist", "access-code-assist-000001"

    def test_what_it_asks_before_a_model_is_answered_by_the_relay(self):
        self.gemini("please [[say asked]]", key=self.own)
        passed = [request for request in self.shared.requests() if "GeminiCLI" in request["headers"]["user-agent"]]
        methods = {request["path_and_query"].rpartition(":")[2].partition("?")[0] for request in passed}
        self.assertLessEqual(methods, {"generateContent", "streamGenerateContent", "countTokens"})
        self.assertIn("streamGenerateContent", methods)


class WithKey(Served, GeminiCliTest):
    pass


if __name__ == "__main__":
    main()
