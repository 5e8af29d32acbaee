"""The OpenAI SDK for Python against the relay: Chat and Responses on accounts of every kind."""

import asyncio
import base64
import json

import openai
from pictures import png
from pydantic import BaseModel
from testing import ASKED, ClientTest, main

EVERY = ["openai", "openai-chat", "openai-responses", "chatgpt", "claude", "gemini", "code-assist"]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
PICTURE = f"data:image/png;base64,{base64.b64encode(png()).decode()}"


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]


def chat_tool(name):
    return {"type": "function", "function": {"name": name, "description": "asks", "parameters": CITY, "strict": True}}


def tool(name):
    return {"type": "function", "name": name, "description": "asks", "parameters": CITY, "strict": True}


def user(content):
    return [{"role": "user", "content": content}]


def system_and(content):
    return [{"role": "system", "content": "Be brief."}, *user(content)]


class OpenAITest(ClientTest):
    wishes = {"upstreams": EVERY}

    def client(self, name, stand=None, path="/openai/v1", key=None, kind=openai.OpenAI, **options):
        """A client with the key of an upstream."""
        stand = stand or self.shared
        options = {"timeout": 20, "max_retries": 0, **options}
        return kind(api_key=key or stand.keys[name], base_url=stand.base + path, **options)

    def of_each(self, names):
        for self.on in names:
            yield self.on, self.client(self.on)


class Chat(OpenAITest):
    wishes = {"upstreams": EVERY, "keys": {"free": []}}

    def test_a_message(self):
        for name, client in self.of_each(EVERY):
            asked = system_and(f"[[say 你好, {name}]]")
            answer = client.chat.completions.create(model=ASKED, messages=asked, max_completion_tokens=500)
            self.assertEqual(answer.choices[0].message.content, f"你好, {name}")
            self.assertEqual((answer.object, answer.choices[0].finish_reason), ("chat.completion", "stop"))
            self.assertGreater(answer.usage.prompt_tokens, 0)
            self.assertGreater(answer.usage.completion_tokens, 0)
            self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)

    def test_streams_with_and_without_usage(self):
        said = "水を飲む — every byte of a stream arrives 🙂 " * 10
        for name, client in self.of_each(EVERY):
            for usage in (True, False):
                stream = client.chat.completions.create(
                    model=ASKED, messages=user(f"[[say {said}]]"), stream=True,
                    **({"stream_options": {"include_usage": True}} if usage else {}),
                )  # fmt: skip
                chunks = list(stream)
                texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
                self.assertGreater(len(texts), 3)
                self.assertEqual("".join(texts), said)
                ends = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
                self.assertEqual([end for end in ends if end], ["stop"])
                counted = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
                self.assertEqual([count > 0 for count in counted], [True] if usage else [])

    def test_a_round_trip_of_tools_at_once(self):
        for name, client in self.of_each(EVERY):
            asked = user('[[tool get_weather {"city": "Zürich"}]] [[tool get_time {"city": "成都"}]]')
            tools = [chat_tool("get_weather"), chat_tool("get_time")]
            first = client.chat.completions.create(model=ASKED, messages=asked, tools=tools, parallel_tool_calls=True)
            self.assertEqual(first.choices[0].finish_reason, "tool_calls")
            calls = first.choices[0].message.tool_calls
            got = [(call.function.name, json.loads(call.function.arguments)) for call in calls]
            self.assertEqual(got, [("get_weather", {"city": "Zürich"}), ("get_time", {"city": "成都"})])
            self.assertEqual(len({call.id for call in calls}), 2)
            results = [{"role": "tool", "tool_call_id": call.id, "content": f"föhn {call.function.name}"} for call in calls]
            turns = [*asked, first.choices[0].message, *results]
            last = client.chat.completions.create(model=ASKED, messages=turns, tools=tools)
            self.assertIn("föhn get_time", last.choices[0].message.content)

    def test_tools_in_a_stream(self):
        for name, client in self.of_each(EVERY):
            with client.chat.completions.stream(
                model=ASKED, tools=[chat_tool("get_weather"), chat_tool("get_time")],
                messages=user('[[tool get_weather {"city": "Zürich"}]] [[tool get_time {"city": "成都"}]]'),
            ) as stream:  # fmt: skip
                final = stream.get_final_completion()
            calls = [call.function for call in final.choices[0].message.tool_calls]
            got = [(call.name, json.loads(call.arguments)) for call in calls]
            self.assertEqual(got, [("get_weather", {"city": "Zürich"}), ("get_time", {"city": "成都"})])

    def test_structured_output(self):
        for name, client in self.of_each(EVERY):
            answer = client.chat.completions.parse(
                model=ASKED, messages=user('[[say {"name": "Ada ✓", "age": 36, "tags": ["x", "y"]}]]'), response_format=Person
            )
            self.assertEqual(answer.choices[0].message.parsed, Person(name="Ada ✓", age=36, tags=["x", "y"]))

    def test_an_image(self):
        for name, client in self.of_each(EVERY):
            parts = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
            answer = client.chat.completions.create(model=ASKED, messages=user(parts))
            self.assertIn("saw 1 image", answer.choices[0].message.content)

    def test_an_answer_that_is_cut_at_its_limit(self):
        for name, client in self.of_each(EVERY):
            answer = client.chat.completions.create(model=ASKED, messages=user("[[stop max]]"), max_tokens=20)
            self.assertEqual(answer.choices[0].finish_reason, "length")

    def test_text_completions(self):
        for name, client in self.of_each(["openai", "openai-chat", "claude"]):
            path = "/openai/claude/v1" if name == "claude" else "/openai/v1"
            client = self.client(name, path=path)
            answer = client.completions.create(model=ASKED, prompt="[[say completed]]", max_tokens=50)
            self.assertEqual((answer.object, answer.choices[0].text), ("text_completion", "completed"))
            stream = client.completions.create(model=ASKED, prompt="[[say one two three]]", max_tokens=50, stream=True)
            self.assertEqual("".join(chunk.choices[0].text for chunk in stream), "one two three")

    def test_other_paths_to_the_same(self):
        paths = {
            "claude": ["/openai/claude/v1", "/openai/v1", "/api/v1", "/v1"],
            "openai": ["/openai/v1", "/api/v1", "/v1"],
            "gemini": ["/openai/gemini/v1", "/openai/v1", "/v1"],
        }
        for name, _ in self.of_each(list(paths)):
            for path in paths[name]:
                client = self.client(name, path=path)
                answer = client.chat.completions.create(model=ASKED, messages=user(f"[[say at {path}]]"))
                self.assertEqual(answer.choices[0].message.content, f"at {path}")

    def test_the_path_or_the_model_chooses_the_family(self):
        everything = self.client("it", path="/openai/v1", key=self.shared.keys["free"])
        for model in ("claude-sonnet-4-6", "gpt-5.1", "gemini-2.5-pro"):
            answer = everything.chat.completions.create(model=model, messages=user(f"[[say {model}]]"))
            self.assertEqual(answer.choices[0].message.content, model)
            self.assertEqual(answer.model, model)


class Responses(OpenAITest):
    def test_a_response(self):
        for name, client in self.of_each(EVERY):
            answer = client.responses.create(model=ASKED, input=f"[[say 你好, {name}]]", instructions="Be brief.")
            self.assertEqual((answer.output_text, answer.status), (f"你好, {name}", "completed"))
            self.assertGreater(answer.usage.input_tokens, 0)
            self.assertGreater(answer.usage.output_tokens, 0)

    def test_a_stream(self):
        said = "水を飲む — every byte of a stream arrives 🙂 " * 10
        for name, client in self.of_each(EVERY):
            with client.responses.stream(model=ASKED, input=f"[[say {said}]]") as stream:
                events = list(stream)
                final = stream.get_final_response()
            deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
            self.assertGreater(len(deltas), 3)
            self.assertEqual(("".join(deltas), final.output_text), (said, said))
            self.assertEqual((events[0].type, events[-1].type), ("response.created", "response.completed"))

    def test_a_round_trip_of_tools_at_once(self):
        for name, client in self.of_each(EVERY):
            asked = user('[[tool get_weather {"city": "Zürich"}]] [[tool get_time {"city": "成都"}]]')
            tools = [tool("get_weather"), tool("get_time")]
            first = client.responses.create(model=ASKED, input=asked, tools=tools)
            calls = [item for item in first.output if item.type == "function_call"]
            got = [(call.name, json.loads(call.arguments)) for call in calls]
            self.assertEqual(got, [("get_weather", {"city": "Zürich"}), ("get_time", {"city": "成都"})])
            results = [
                {"type": "function_call_output", "call_id": call.call_id, "output": f"föhn {call.name}"} for call in calls
            ]
            turns = [*asked, *(item.model_dump(exclude_none=True) for item in first.output), *results]
            last = client.responses.create(model=ASKED, input=turns, tools=tools)
            self.assertIn("föhn get_time", last.output_text)

    def test_tools_in_a_stream(self):
        for name, client in self.of_each(EVERY):
            asked = '[[tool get_weather {"city": "成都"}]]'
            with client.responses.stream(model=ASKED, input=asked, tools=[tool("get_weather")]) as stream:
                calls = [item for item in stream.get_final_response().output if item.type == "function_call"]
            self.assertEqual([json.loads(call.arguments) for call in calls], [{"city": "成都"}])

    def test_structured_output(self):
        for name, client in self.of_each(EVERY):
            asked = '[[say {"name": "Ada ✓", "age": 36, "tags": ["x", "y"]}]]'
            answer = client.responses.parse(model=ASKED, input=asked, text_format=Person)
            self.assertEqual(answer.output_parsed, Person(name="Ada ✓", age=36, tags=["x", "y"]))

    def test_an_image(self):
        for name, client in self.of_each(EVERY):
            parts = [{"type": "input_text", "text": "what is it?"}, {"type": "input_image", "image_url": PICTURE}]
            self.assertIn("saw 1 image", client.responses.create(model=ASKED, input=user(parts)).output_text)

    def test_reasoning_goes_and_comes_back(self):
        for name, client in self.of_each(EVERY):
            options = {"reasoning": {"effort": "medium", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
            asked = user("[[think]] [[say so]]")
            first = client.responses.create(model=ASKED, input=asked, store=False, **options)
            self.assertEqual(first.output_text, "so")
            turns = [*asked, *(item.model_dump(exclude_none=True) for item in first.output), *user("[[say and so]]")]
            last = client.responses.create(model=ASKED, input=turns, store=False, **options)
            self.assertEqual(last.output_text, "and so")

    def test_an_answer_that_is_cut_at_its_limit(self):
        for name, client in self.of_each(EVERY):
            answer = client.responses.create(model=ASKED, input="[[stop max]]", max_output_tokens=20)
            self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))

    def test_twenty_at_once_from_the_asynchronous_client(self):
        async def all_of_them():
            async with self.client("chatgpt", kind=openai.AsyncOpenAI) as many:

                async def one(number):
                    async with many.responses.stream(model=ASKED, input=f"[[say answer {number}]]") as stream:
                        return (await stream.get_final_response()).output_text

                return await asyncio.gather(*map(one, range(20)))

        self.assertEqual(asyncio.run(all_of_them()), [f"answer {number}" for number in range(20)])


class Others(OpenAITest):
    wishes = {"upstreams": ["openai", "claude", "gemini"]}

    def test_embeddings(self):
        client = self.client("openai")
        for encoding in ("float", "base64"):
            made = client.embeddings.create(
                model="text-embedding-3-small", input=["one", "two"], encoding_format=encoding
            )
            self.assertEqual(len(made.data), 2)
        self.assertEqual(client.embeddings.create(model="text-embedding-3-small", input="x").data[0].embedding[0], 0.5)

    def test_pictures(self):
        made = self.client("openai").images.generate(model="gpt-image-1", prompt="a red square", n=2)
        self.assertEqual([bool(picture.b64_json) for picture in made.data], [True, True])

    def test_models(self):
        for name, path in (("openai", "/openai/v1"), ("claude", "/openai/claude/v1"), ("openai", "/v1")):
            with self.subTest(path):
                listed = self.client(name, path=path).models.list()
                self.assertIn(ASKED, [model.id for model in listed])
                self.assertTrue(all(model.object == "model" for model in listed))


class Refused(OpenAITest):
    wishes = {"upstreams": ["openai", "chatgpt", "claude", "gemini"]}

    def refused(self, kind, name, text="x", stand=None, model=ASKED, seconds=10, **options):
        """Asks by Chat and by Responses, streamed and not; gives one of the errors."""
        client = self.client(name, stand=stand, **options)
        for stream in (False, True):
            with self.within(seconds), self.assertRaises(kind) as caught:
                client.chat.completions.create(model=model, messages=user(text), stream=stream)
            with self.within(seconds), self.assertRaises(kind) as caught:
                client.responses.create(model=model, input=text, stream=stream)
        self.assertTrue(caught.exception.body["message"])
        return caught.exception

    def test_a_fault_of_the_caller_says_what_the_provider_said(self):
        for name, _ in self.of_each(self.wishes["upstreams"]):
            error = self.refused(openai.BadRequestError, name, "[[status 400 your prompt is too long: 300000]]")
            self.assertIn("your prompt is too long: 300000", error.message)

    def test_a_wrong_key_at_once_though_the_client_would_retry(self):
        error = self.refused(openai.AuthenticationError, "openai", key="cr_not-a-key", max_retries=5)
        self.assertEqual((error.code, error.response.headers["x-should-retry"]), ("invalid_api_key", "false"))

    def test_a_model_that_is_not_permitted(self):
        with self.stand(upstreams=["openai"], keys={"denied": ["--deny-model", "gpt-5.1"], "it": []}) as stand:
            error = self.refused(openai.PermissionDeniedError, "denied", stand=stand, model="gpt-5.1", max_retries=5)
            self.assertIn("gpt-5.1", error.message)

    def test_an_unknown_path_and_an_unknown_model(self):
        client = self.client("openai")
        with self.assertRaises(openai.NotFoundError):
            client.post("/nothing-here", cast_to=object, body={})
        with self.assertRaises(openai.NotFoundError):
            client.models.retrieve("gpt-of-next-year")

    def test_all_accounts_limited(self):
        for upstreams in (["openai", "openai-2"], ["chatgpt", "chatgpt-2"], ["claude"], ["gemini"]):
            model = {"claude": "claude-sonnet-4-6", "gemini": "gemini-2.5-pro"}.get(upstreams[0], "gpt-5.1")
            with self.subTest(upstreams[0]), self.stand(upstreams=upstreams, keys={"it": []}) as stand:
                client = self.client("it", stand=stand)
                for text in ("[[status 429 retry-after=40]]", "again"):
                    with self.assertRaises(openai.RateLimitError) as caught:
                        client.chat.completions.create(model=model, messages=user(text))
                    sent = len(stand.requests())
                self.assertIn(int(caught.exception.response.headers["retry-after"]), range(30, 46))
                with self.assertRaises(openai.RateLimitError):
                    client.chat.completions.create(model=model, messages=user("again"))
                self.assertEqual(len(stand.requests()), sent, "a resting account is left alone")

    def test_an_overloaded_provider(self):
        for name in ("openai", "chatgpt", "claude", "gemini"):
            with self.subTest(name), self.stand(upstreams=[name]) as stand:
                self.refused(openai.InternalServerError, name, "[[status 503]]", stand=stand, seconds=20)

    def test_an_error_after_the_first_words_of_a_stream(self):
        for name in ("openai", "chatgpt", "claude", "gemini"):
            with self.subTest(name), self.stand(upstreams=[name], exact=False) as stand:
                client, text, seen = self.client(name, stand=stand), "[[error-event 8]] [[long 900]]", []
                with self.assertRaises(openai.APIError):
                    for chunk in client.chat.completions.create(model=ASKED, messages=user(text), stream=True):
                        seen.append(chunk)
                self.assertTrue(seen)

    def test_a_stream_of_responses_that_fails_says_so(self):
        for name in ("openai", "chatgpt", "claude", "gemini"):
            with self.subTest(name), self.stand(upstreams=[name], exact=False) as stand:
                client, text = self.client(name, stand=stand), "[[error-event 8]] [[long 900]]"
                events = []
                try:
                    for event in client.responses.create(model=ASKED, input=text, stream=True):
                        events.append(event.type)
                except openai.APIError:
                    events.append("error")
                self.assertIn(events[-1], ("response.failed", "error"))
                self.assertIn("response.output_text.delta", events)


if __name__ == "__main__":
    main()
