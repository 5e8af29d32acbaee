"""Google's Gen AI SDK for Python against the relay."""

import asyncio

from google import genai
from google.genai import errors, types
from pictures import png
from pydantic import BaseModel
from testing import ASKED, ClientTest, main

OWN = "gemini-2.5-pro"
BOTH = ["gemini", "code-assist"]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Person(BaseModel):
    name: str
    age: int


def tools():
    names = ("get_weather", "get_time")
    made = [types.FunctionDeclaration(name=name, description="asks", parameters_json_schema=CITY) for name in names]
    return [types.Tool(function_declarations=made)]


class GenAITest(ClientTest):
    wishes = {"upstreams": BOTH}

    def setUp(self):
        self.clients = []  # a client that nobody holds closes itself

    def models(self, *who, **how):
        self.clients.append(self.client(*who, **how))
        return self.clients[-1].models

    def client(self, name, stand=None, key=None):
        stand = stand or self.shared
        options = types.HttpOptions(
            base_url=f"{stand.base}/gemini", timeout=20_000, retry_options=types.HttpRetryOptions(attempts=1)
        )
        return genai.Client(api_key=key or stand.keys[name], http_options=options)

    def of_both(self):
        for self.on in BOTH:
            yield self.on, self.models(self.on)


class Served(GenAITest):
    def test_a_message(self):
        for name, models in self.of_both():
            config = types.GenerateContentConfig(system_instruction="Be brief.")
            answer = models.generate_content(model=ASKED, contents=f"[[say 你好, {name}]]", config=config)
            self.assertEqual(answer.text, f"你好, {name}")
            self.assertGreater(answer.usage_metadata.prompt_token_count, 0)
            self.assertGreater(answer.usage_metadata.candidates_token_count, 0)

    def test_a_stream(self):
        said = "水を飲む — every byte of a stream arrives 🙂 " * 10
        for _, models in self.of_both():
            chunks = list(models.generate_content_stream(model=ASKED, contents=f"[[say {said}]]"))
            self.assertGreater(len(chunks), 3)
            self.assertEqual("".join(chunk.text or "" for chunk in chunks), said)

    def test_a_round_trip_of_tools_at_once(self):
        for _, models in self.of_both():
            wish = '[[tool get_weather {"city": "Zürich"}]] [[tool get_time {"city": "成都"}]]'
            contents = [types.UserContent(wish)]
            off = types.AutomaticFunctionCallingConfig(disable=True)
            config = types.GenerateContentConfig(tools=tools(), automatic_function_calling=off)
            first = models.generate_content(model=ASKED, contents=contents, config=config)
            calls = first.function_calls
            self.assertEqual([(call.name, call.args["city"]) for call in calls], [("get_weather", "Zürich"), ("get_time", "成都")])
            results = [
                types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "föhn"}))
                for call in calls
            ]
            contents += [first.candidates[0].content, types.UserContent(results)]
            self.assertIn("föhn", models.generate_content(model=ASKED, contents=contents, config=config).text)

    def test_a_tool_that_the_client_calls_by_itself(self):
        def get_weather(city: str) -> str:
            """The weather in a city."""
            return f"föhn in {city}"

        for _, models in self.of_both():
            config = types.GenerateContentConfig(tools=[get_weather])
            wish = '[[tool get_weather {"city": "Zürich"}]]'
            answer = models.generate_content(model=ASKED, contents=wish, config=config)
            self.assertIn("föhn in Zürich", answer.text)

    def test_structured_output(self):
        for _, models in self.of_both():
            config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person)
            wish = '[[say {"name": "Ada ✓", "age": 36}]]'
            answer = models.generate_content(model=ASKED, contents=wish, config=config)
            self.assertEqual(answer.parsed, Person(name="Ada ✓", age=36))

    def test_an_image(self):
        for _, models in self.of_both():
            parts = ["what is it?", types.Part.from_bytes(data=png(), mime_type="image/png")]
            self.assertIn("saw 1 image", models.generate_content(model=ASKED, contents=parts).text)

    def test_counting_tokens(self):
        for _, models in self.of_both():
            self.assertGreater(models.count_tokens(model=OWN, contents="count this").total_tokens, 0)

    def test_models(self):
        for _, models in self.of_both():
            self.assertIn(f"models/{ASKED}", [model.name for model in models.list()])
            self.assertEqual(models.get(model=ASKED).name, f"models/{ASKED}")

    def test_ten_at_once_from_the_asynchronous_client(self):
        async def all_of_them():
            client = self.client("code-assist").aio

            async def one(number):
                stream = await client.models.generate_content_stream(model=ASKED, contents=f"[[say answer {number}]]")
                return "".join([chunk.text or "" async for chunk in stream])

            return await asyncio.gather(*map(one, range(10)))

        self.assertEqual(asyncio.run(all_of_them()), [f"answer {number}" for number in range(10)])


class Refused(GenAITest):
    def refused(self, kind, code, models, text="x", model=ASKED):
        with self.within(20), self.assertRaises(kind) as caught:
            models.generate_content(model=model, contents=text)
        self.assertEqual(caught.exception.code, code)
        return caught.exception

    def test_a_fault_of_the_caller_says_what_the_provider_said(self):
        for _, models in self.of_both():
            error = self.refused(errors.ClientError, 400, models, "[[status 400 your prompt is too long: 300000]]")
            self.assertIn("your prompt is too long: 300000", error.message)
            self.assertEqual(error.status, "INVALID_ARGUMENT")

    def test_a_wrong_key(self):
        error = self.refused(errors.ClientError, 401, self.models("it", key="cr_not-a-key"))
        self.assertEqual(error.status, "UNAUTHENTICATED")

    def test_what_is_not_permitted_limited_overloaded(self):
        for name in BOTH:
            keys = {"denied": ["--deny-model", OWN], "it": []}
            with self.subTest(name), self.stand(upstreams=[name], keys=keys) as stand:
                self.refused(errors.ClientError, 403, self.models("denied", stand=stand), model=OWN)
                models = self.models("it", stand=stand)
                self.refused(errors.ServerError, 503, models, "[[status 503]]", model=OWN)
                self.refused(errors.ClientError, 429, models, "[[status 429 retry-after=40]]", model=OWN)
                error = self.refused(errors.ClientError, 429, models, "again", model=OWN)
                self.assertEqual(error.status, "RESOURCE_EXHAUSTED")

    def test_an_error_after_the_first_words_of_a_stream(self):
        for name in BOTH:
            with self.subTest(name), self.stand(upstreams=[name], exact=False) as stand:
                seen = []
                with self.assertRaises(errors.APIError):
                    wish, models = "[[error-event 4]] [[long 900]]", self.models(name, stand=stand)
                    for chunk in models.generate_content_stream(model=ASKED, contents=wish):
                        seen.append(chunk)
                self.assertTrue(seen)


if __name__ == "__main__":
    main()
