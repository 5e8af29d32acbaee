"""The Anthropic SDK for Python against the relay."""

import asyncio
import base64
import os

import anthropic
from pictures import png
from testing import ASKED, MODEL, ClientTest, main

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def user(content):
    return [{"role": "user", "content": content}]


def client(stand, path="/api", key=None, kind=anthropic.Anthropic, **options):
    options = {"api_key": key or stand.key, "timeout": 20, "max_retries": 0, **options}
    return kind(base_url=stand.base + ("" if stand.direct else path), **options)


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


class Served(ClientTest):
    def create(self, content, path="/api", **options):
        return client(self.shared, path).messages.create(
            model=MODEL, max_tokens=2000, messages=user(content), **options
        )

    def test_a_message(self):
        answer = self.create("[[say 你好, world]]")
        self.assertEqual(text_of(answer), "你好, world")
        self.assertEqual((answer.model, answer.stop_reason, answer.type), (MODEL, "end_turn", "message"))
        self.assertGreater(answer.usage.input_tokens, 0)
        self.assertGreater(answer.usage.output_tokens, 0)

    def test_each_path_of_the_family(self):
        for path in ("/api", "/claude", "/openai/claude", ""):
            with self.subTest(path):
                self.assertEqual(text_of(self.create(f"[[say {path}]]", path)), path)

    def test_a_key_as_a_bearer_token(self):
        bearer = client(self.shared, api_key=None, auth_token=self.shared.key)
        answer = bearer.messages.create(model=MODEL, max_tokens=50, messages=user("[[say in]]"))
        self.assertEqual(text_of(answer), "in")

    def test_headers_of_an_answer(self):
        self.needs_relay()
        raw = client(self.shared).messages.with_raw_response.create(model=MODEL, max_tokens=50, messages=user("x"))
        self.assertTrue(raw.headers["x-crs-request-id"])
        self.assertIn("relay", raw.headers["server-timing"])
        self.assertIn("upstream", raw.headers["server-timing"])

    def test_a_stream(self):
        said = "水を飲む — every byte of a stream arrives 🙂 " * 20
        with client(self.shared).messages.stream(
            model=MODEL, max_tokens=2000, messages=user(f"[[say {said}]]")
        ) as stream:
            parts = list(stream.text_stream)
            final = stream.get_final_message()
        self.assertGreater(len(parts), 3)
        self.assertEqual("".join(parts), said)
        self.assertEqual(text_of(final), said)
        self.assertEqual(final.stop_reason, "end_turn")

    def test_a_stream_of_raw_events(self):
        events = [event.type for event in self.create("[[say a b c d]]", stream=True)]
        self.assertEqual((events[0], events[-2:]), ("message_start", ["message_delta", "message_stop"]))

    def test_a_round_trip_of_a_tool(self):
        ask = user('[[tool get_weather {"city": "Zürich"}]]')
        first = client(self.shared).messages.create(model=MODEL, max_tokens=500, messages=ask, tools=[WEATHER])
        self.assertEqual(first.stop_reason, "tool_use")
        use = first.content[-1]
        self.assertEqual((use.name, use.input), ("get_weather", {"city": "Zürich"}))
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "föhn, 21 °C"}
        turns = [*ask, {"role": "assistant", "content": first.content}, *user([result])]
        last = client(self.shared).messages.create(model=MODEL, max_tokens=500, messages=turns, tools=[WEATHER])
        self.assertIn("föhn, 21 °C", text_of(last))

    def test_a_tool_in_a_stream(self):
        with client(self.shared).messages.stream(
            model=MODEL, max_tokens=500, tools=[WEATHER], messages=user('[[tool get_weather {"city": "成都"}]]')
        ) as stream:
            final = stream.get_final_message()
        self.assertEqual(final.content[-1].input, {"city": "成都"})

    def test_thinking_goes_and_comes_back(self):
        thinking = {"type": "enabled", "budget_tokens": 1024}
        ask = user("[[think]] [[say so]]")
        first = self.create(ask[0]["content"], thinking=thinking)
        self.assertEqual([block.type for block in first.content], ["thinking", "text"])
        self.assertTrue(first.content[0].signature)
        turns = [*ask, {"role": "assistant", "content": first.content}, *user("[[say and so]]")]
        last = client(self.shared).messages.create(model=MODEL, max_tokens=2000, messages=turns, thinking=thinking)
        self.assertEqual(text_of(last), "and so")

    def test_an_image(self):
        source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
        answer = self.create([{"type": "image", "source": source}, {"type": "text", "text": "what is it?"}])
        self.assertIn("saw 1 image", text_of(answer))

    def test_what_is_written_to_the_cache_and_read_from_it(self):
        def marked(text, **how):
            return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", **how}}]

        system = marked("Be brief. " * 200, ttl="1h")
        first = self.create(marked("[[say one]] " + "x " * 300), system=system)
        self.assertGreater(first.usage.cache_creation_input_tokens, 0)
        turns = [
            *user("[[say one]]"),
            {"role": "assistant", "content": "one"},
            *user(marked("[[say two]] " + "x " * 300)),
        ]
        second = client(self.shared).messages.create(model=MODEL, max_tokens=50, messages=turns, system=system)
        self.assertGreater(second.usage.cache_read_input_tokens, 0)

    def test_counting_tokens(self):
        counted = client(self.shared).messages.count_tokens(model=MODEL, messages=user("count this"))
        self.assertGreater(counted.input_tokens, 0)

    def test_models(self):
        listed = list(client(self.shared).models.list())
        self.assertIn(MODEL, [model.id for model in listed])
        one = client(self.shared).models.retrieve(MODEL)
        self.assertEqual((one.id, one.type), (MODEL, "model"))
        self.assertTrue(one.display_name)
        self.assertTrue(one.created_at)

    def test_twenty_at_once_from_the_asynchronous_client(self):
        async def all_of_them():
            async with client(self.shared, kind=anthropic.AsyncAnthropic) as many:

                async def one(number):
                    async with many.messages.stream(
                        model=MODEL, max_tokens=500, messages=user(f"[[say answer {number}]]")
                    ) as stream:
                        return text_of(await stream.get_final_message())

                return await asyncio.gather(*map(one, range(20)))

        self.assertEqual(asyncio.run(all_of_them()), [f"answer {number}" for number in range(20)])

    def test_a_fault_of_the_caller_says_what_the_provider_said(self):
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.create("[[status 400 prompt is too long: 300000 tokens]]")
        self.assertIn("prompt is too long: 300000 tokens", caught.exception.message)
        self.assertEqual(caught.exception.body["error"]["type"], "invalid_request_error")

    def test_an_unknown_path(self):
        with self.assertRaises(anthropic.NotFoundError) as caught:
            client(self.shared).post("/v1/nothing-here", cast_to=object, body={})
        self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")

    def test_an_unknown_model(self):
        with self.assertRaises(anthropic.NotFoundError):
            client(self.shared).models.retrieve("claude-of-next-year")


class Refused(ClientTest):
    def refused(self, kind, stand, content="x", seconds=5, key=None, model=MODEL, **options):
        with self.within(seconds), self.assertRaises(kind) as caught:
            client(stand, key=key, **options).messages.create(model=model, max_tokens=50, messages=user(content))
        return caught.exception

    def test_a_wrong_key_at_once_though_the_client_would_retry(self):
        self.needs_relay()
        error = self.refused(anthropic.AuthenticationError, self.shared, key="cr_not-a-key", max_retries=5)
        self.assertEqual(error.body["error"]["type"], "authentication_error")
        self.assertEqual(error.response.headers["x-should-retry"], "false")

    def test_a_model_that_is_not_permitted(self):
        self.needs_relay()
        with self.stand(env={"UNKNOWN_PRICE": "refuse"}) as stand:
            error = self.refused(anthropic.PermissionDeniedError, stand, model="unpriced-model", max_retries=5)
            self.assertEqual(error.body["error"]["type"], "permission_error")
            self.assertIn("unpriced-model", error.message)

    def test_all_accounts_limited(self):
        self.needs_relay()
        with self.stand(accounts=2) as stand:
            error = self.refused(anthropic.RateLimitError, stand, "[[status 429 retry-after=40]]")
            self.assertEqual(error.body["error"]["type"], "rate_limit_error")
            sent = len(stand.requests())
            error = self.refused(anthropic.RateLimitError, stand, "again")
            self.assertIn(int(error.response.headers["retry-after"]), range(30, 46))
            self.assertEqual(len(stand.requests()), sent, "a resting account is left alone")

    def test_one_account_limited_is_not_seen_by_the_client(self):
        self.needs_relay()
        with self.stand(accounts=2) as stand:
            for number in range(4):
                answer = client(stand).messages.create(
                    model=MODEL,
                    max_tokens=50,
                    messages=user(f"[[status 429 retry-after=40 key=upstream-secret-1]] [[say {number}]]"),
                )
                self.assertEqual(text_of(answer), str(number))

    def test_an_overloaded_provider(self):
        with self.stand() as stand:
            error = self.refused(anthropic.OverloadedError, stand, "[[status 529]]", seconds=20)
            self.assertEqual((error.status_code, error.body["error"]["type"]), (529, "overloaded_error"))

    def test_an_error_after_the_first_words_of_a_stream(self):
        with self.stand(exact=False) as stand:
            events = client(stand).messages.create(
                model=MODEL, max_tokens=500, messages=user("[[error-event 6]]"), stream=True
            )
            seen = []
            with self.assertRaises(anthropic.APIStatusError) as caught:
                for event in events:
                    seen.append(event.type)
            self.assertIn("content_block_delta", seen)
            self.assertEqual(caught.exception.body["error"]["type"], "overloaded_error")
            if not stand.direct:
                self.eventually(lambda: self.counts_what_was_cut(stand.books()))

    def counts_what_was_cut(self, books):
        whole, recorded = books["provider"].get(MODEL), books["relay"].get(MODEL)
        return whole and recorded and all(recorded[kind] > whole[kind] for kind in ("input_tokens", "output_tokens"))

    def test_a_subscription_is_for_claude_code_alone(self):
        self.needs_relay()
        subscription = {"lifetime_ms": 3_600_000}
        with self.stand(accounts=0, subscription=subscription) as stand:
            error = self.refused(anthropic.PermissionDeniedError, stand, "hello")
            self.assertIn("Claude Code", error.body["error"]["message"])
        with self.stand(accounts=1, subscription=subscription) as stand:
            served = client(stand).messages.create(model=MODEL, max_tokens=50, messages=user("[[say api]]"))
            self.assertEqual(text_of(served), "api")

    def test_a_request_too_large(self):
        self.needs_relay()
        with self.stand(env={"REQUEST_MAX_SIZE_MB": "1"}) as stand:
            error = self.refused(anthropic.ContentTooLargeError, stand, "x" * 3_000_000)
            self.assertEqual(error.body["error"]["type"], "request_too_large")


class Elsewhere(ClientTest):
    """On accounts of other families, by an alias of the key."""

    wishes = {"upstreams": ["openai-responses", "openai-chat", "chatgpt", "gemini", "code-assist"]}

    def of_each(self):
        for self.on in self.wishes["upstreams"]:
            yield client(self.shared, key=self.shared.keys[self.on]).messages

    def test_a_message(self):
        for messages in self.of_each():
            turns = user(f"[[say 你好, {self.on}]]")
            answer = messages.create(model=ASKED, max_tokens=500, system="Be brief.", messages=turns)
            self.assertEqual((text_of(answer), answer.stop_reason), (f"你好, {self.on}", "end_turn"))
            self.assertGreater(answer.usage.input_tokens, 0)
            self.assertGreater(answer.usage.output_tokens, 0)

    def test_a_stream(self):
        said = "水を飲む — every byte of a stream arrives 🙂 " * 20
        for messages in self.of_each():
            with messages.stream(model=ASKED, max_tokens=2000, messages=user(f"[[say {said}]]")) as stream:
                self.assertEqual("".join(stream.text_stream), said)
                final = stream.get_final_message()
            self.assertEqual(final.stop_reason, "end_turn")
            self.assertGreater(final.usage.output_tokens, 0)

    def test_a_round_trip_of_tools_at_once(self):
        ask = user('[[tool get_weather {"city": "Zürich"}]] [[tool get_weather {"city": "成都"}]]')
        for messages in self.of_each():
            for streamed in (False, True):
                how = {"model": ASKED, "max_tokens": 500, "tools": [WEATHER]}
                if streamed:
                    with messages.stream(messages=ask, **how) as stream:
                        first = stream.get_final_message()
                else:
                    first = messages.create(messages=ask, **how)
                self.assertEqual(first.stop_reason, "tool_use")
                uses = [block for block in first.content if block.type == "tool_use"]
                self.assertEqual([use.input["city"] for use in uses], ["Zürich", "成都"])
                results = [{"type": "tool_result", "tool_use_id": use.id, "content": "föhn, 21 °C"} for use in uses]
                turns = [*ask, {"role": "assistant", "content": first.content}, *user(results)]
                self.assertIn("föhn, 21 °C", text_of(messages.create(messages=turns, **how)))

    def test_an_image(self):
        source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
        asked = user([{"type": "image", "source": source}, {"type": "text", "text": "what is it?"}])
        for messages in self.of_each():
            self.assertIn("saw 1 image", text_of(messages.create(model=ASKED, max_tokens=500, messages=asked)))

    def test_thinking_goes_and_comes_back(self):
        how = {"model": ASKED, "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
        asked = user("[[think]] [[say so]]")
        for messages in self.of_each():
            first = messages.create(messages=asked, **how)
            self.assertEqual(text_of(first), "so")
            turns = [*asked, {"role": "assistant", "content": first.content}, *user("[[say and so]]")]
            self.assertEqual(text_of(messages.create(messages=turns, **how)), "and so")

    def test_an_answer_that_is_cut_at_its_limit(self):
        for messages in self.of_each():
            answer = messages.create(model=ASKED, max_tokens=20, messages=user("[[stop max]]"))
            self.assertEqual(answer.stop_reason, "max_tokens")

    def test_counting_tokens(self):
        for messages in self.of_each():
            if self.on in ("openai-responses", "gemini", "code-assist"):  # the others cannot count
                counted = messages.count_tokens(model=ASKED, messages=user("count this"))
                self.assertGreater(counted.input_tokens, 0)

    def test_a_fault_of_the_caller_says_what_the_provider_said(self):
        for messages in self.of_each():
            with self.assertRaises(anthropic.BadRequestError) as caught:
                messages.create(model=ASKED, max_tokens=50, messages=user("[[status 400 your prompt is too long: 300000]]"))
            self.assertIn("your prompt is too long: 300000", caught.exception.message)

    def test_limits_and_overload_are_told_as_anthropics_own(self):
        for name in self.wishes["upstreams"]:
            with self.subTest(name), self.stand(upstreams=[name]) as stand:
                messages = client(stand, key=stand.keys[name]).messages
                for text, kind in (
                    ("[[status 503]]", anthropic.InternalServerError),
                    ("[[status 429 retry-after=40]]", anthropic.RateLimitError),
                    ("again", anthropic.RateLimitError),
                ):
                    with self.assertRaises(kind):
                        messages.create(model=ASKED, max_tokens=50, messages=user(text))

    def test_an_error_after_the_first_words_of_a_stream(self):
        for name in self.wishes["upstreams"]:
            with self.subTest(name), self.stand(upstreams=[name], exact=False) as stand:
                asked, seen = user("[[error-event 8]] [[long 900]]"), []
                with self.assertRaises(anthropic.APIStatusError):
                    for event in client(stand, key=stand.keys[name]).messages.create(
                        model=ASKED, max_tokens=500, messages=asked, stream=True
                    ):
                        seen.append(event.type)
                self.assertIn("content_block_delta", seen)


if __name__ == "__main__":
    os.environ.pop("ANTHROPIC_API_KEY", None)
    main()
