// The OpenAI SDK for JavaScript against the relay.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import OpenAI from "openai";
import { openStand, withStand } from "./desk.mjs";
import { png } from "./pictures.mjs";

const MODEL = "the-model"; // what the keys of upstreams call their account's model
const EVERY = ["openai", "openai-chat", "openai-responses", "chatgpt", "claude", "gemini", "code-assist"];
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const PERSON = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" }, tags: { type: "array", items: { type: "string" } } },
  required: ["name", "age", "tags"],
  additionalProperties: false,
};
const ADA = { name: "Ada ✓", age: 36, tags: ["x", "y"] };
const TWO_TOOLS = '[[tool get_weather {"city": "Zürich"}]] [[tool get_time {"city": "成都"}]]';
const TWO_CALLS = [
  ["get_weather", { city: "Zürich" }],
  ["get_time", { city: "成都" }],
];
const SAID = "水を飲む — every byte of a stream arrives 🙂 ".repeat(10);

let shared;
before(async () => (shared = await openStand({ upstreams: EVERY })));
afterEach(() => shared.checkUsage());
after(() => shared?.close());

const user = (content) => [{ role: "user", content }];
const tool = (name) => ({ type: "function", name, description: "asks", parameters: CITY, strict: true });
const chatTool = (name) => ({ type: "function", function: { name, description: "asks", parameters: CITY, strict: true } });

function client(name, { stand = shared, path = "/openai/v1", ...options } = {}) {
  return new OpenAI({ apiKey: stand.keys[name], baseURL: stand.base + path, timeout: 20_000, maxRetries: 0, ...options });
}

/** A test that is run with a client of each kind of account. */
const ofEach = (title, body, names = EVERY) =>
  test(title, async () => {
    for (const name of names) {
      try {
        await body(client(name), name);
      } catch (error) {
        error.message = `${name}: ${error.message}`;
        throw error;
      }
    }
  });

ofEach("chat: a message", async (openai, name) => {
  const messages = [{ role: "developer", content: "Be brief." }, ...user(`[[say 你好, ${name}]]`)];
  const answer = await openai.chat.completions.create({ model: MODEL, messages });
  assert.deepEqual([answer.choices[0].message.content, answer.choices[0].finish_reason], [`你好, ${name}`, "stop"]);
  assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens > 0);
});

ofEach("chat: streams with and without usage", async (openai) => {
  for (const usage of [true, false]) {
    const options = usage ? { stream_options: { include_usage: true } } : {};
    const chunks = [];
    const ask = { model: MODEL, messages: user(`[[say ${SAID}]]`), stream: true, ...options };
    for await (const chunk of await openai.chat.completions.create(ask)) chunks.push(chunk);
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), SAID);
    assert.equal(chunks.filter((chunk) => chunk.usage).length, usage ? 1 : 0);
  }
});

ofEach("chat: a round trip of tools at once", async (openai) => {
  const ask = { model: MODEL, tools: [chatTool("get_weather"), chatTool("get_time")], messages: user(TWO_TOOLS) };
  const first = (await openai.chat.completions.create(ask)).choices[0].message;
  assert.deepEqual(first.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), TWO_CALLS);
  const results = first.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: `föhn ${call.id}` }));
  const last = await openai.chat.completions.create({ ...ask, messages: [...ask.messages, first, ...results] });
  assert.match(last.choices[0].message.content, /föhn/);
});

ofEach("chat: tools in a stream", async (openai) => {
  const tools = [chatTool("get_weather"), chatTool("get_time")];
  const final = await openai.chat.completions.stream({ model: MODEL, tools, messages: user(TWO_TOOLS) }).finalChatCompletion();
  const calls = final.choices[0].message.tool_calls;
  assert.deepEqual(calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), TWO_CALLS);
});

ofEach("chat: structured output", async (openai) => {
  const response_format = { type: "json_schema", json_schema: { name: "person", schema: PERSON, strict: true } };
  const messages = user(`[[say ${JSON.stringify(ADA)}]]`);
  const answer = await openai.chat.completions.parse({ model: MODEL, messages, response_format });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), ADA);
});

ofEach("chat: an image", async (openai) => {
  const url = `data:image/png;base64,${png().toString("base64")}`;
  const messages = user([{ type: "text", text: "what is it?" }, { type: "image_url", image_url: { url } }]);
  const answer = await openai.chat.completions.create({ model: MODEL, messages });
  assert.match(answer.choices[0].message.content, /saw 1 image/);
});

ofEach("responses: a response", async (openai, name) => {
  const answer = await openai.responses.create({ model: MODEL, instructions: "Be brief.", input: `[[say 你好, ${name}]]` });
  assert.deepEqual([answer.output_text, answer.status], [`你好, ${name}`, "completed"]);
  assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
});

ofEach("responses: a stream", async (openai) => {
  const kinds = [];
  const stream = openai.responses.stream({ model: MODEL, input: `[[say ${SAID}]]` });
  for await (const event of stream) kinds.push(event.type);
  assert.deepEqual([kinds[0], kinds.at(-1)], ["response.created", "response.completed"]);
  assert.equal((await stream.finalResponse()).output_text, SAID);
});

ofEach("responses: a round trip of tools at once", async (openai) => {
  const ask = { model: MODEL, tools: [tool("get_weather"), tool("get_time")], input: user(TWO_TOOLS) };
  const first = await openai.responses.create(ask);
  const calls = first.output.filter((item) => item.type === "function_call");
  assert.deepEqual(calls.map((call) => [call.name, JSON.parse(call.arguments)]), TWO_CALLS);
  const results = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "föhn, 21 °C" }));
  const last = await openai.responses.create({ ...ask, input: [...ask.input, ...first.output, ...results] });
  assert.match(last.output_text, /föhn, 21 °C/);
});

ofEach("responses: structured output", async (openai) => {
  const text = { format: { type: "json_schema", name: "person", schema: PERSON, strict: true } };
  const answer = await openai.responses.parse({ model: MODEL, input: `[[say ${JSON.stringify(ADA)}]]`, text });
  assert.deepEqual(answer.output_parsed, ADA);
});

ofEach("responses: an image", async (openai) => {
  const image_url = `data:image/png;base64,${png().toString("base64")}`;
  const input = user([{ type: "input_text", text: "what is it?" }, { type: "input_image", image_url, detail: "auto" }]);
  assert.match((await openai.responses.create({ model: MODEL, input })).output_text, /saw 1 image/);
});

ofEach("responses: reasoning goes and comes back", async (openai) => {
  const how = { model: MODEL, store: false, reasoning: { effort: "medium" }, include: ["reasoning.encrypted_content"] };
  const first = await openai.responses.create({ ...how, input: user("[[think]] [[say so]]") });
  assert.equal(first.output_text, "so");
  const input = [...user("[[think]] [[say so]]"), ...first.output, ...user("[[say and so]]")];
  assert.equal((await openai.responses.create({ ...how, input })).output_text, "and so");
});

test("text completions, embeddings, pictures, models", async () => {
  const openai = client("openai");
  const completed = await openai.completions.create({ model: MODEL, prompt: "[[say completed]]" });
  assert.equal(completed.choices[0].text, "completed");
  const made = await openai.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
  assert.deepEqual(made.data.map((one) => one.embedding), [[0.5, -0.25, 0.125, 1], [0.5, -0.25, 0.125, 1]]);
  const drawn = await openai.images.generate({ model: "gpt-image-1", prompt: "a red square" });
  assert.ok(drawn.data[0].b64_json);
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  assert.ok(ids.includes(MODEL));
});

ofEach("a fault of the caller says what the provider said", async (openai) => {
  const wish = "[[status 400 your prompt is too long: 300000]]";
  for (const asked of [
    () => openai.chat.completions.create({ model: MODEL, messages: user(wish) }),
    () => openai.responses.create({ model: MODEL, input: wish, stream: true }),
  ]) {
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      return /your prompt is too long: 300000/.test(error.message);
    });
  }
});

test("a wrong key is refused at once though the client would retry", async () => {
  const start = performance.now();
  const asked = client("openai", { apiKey: "cr_not-a-key", maxRetries: 5 }).responses.create({ model: MODEL, input: "x" });
  await assert.rejects(asked, OpenAI.AuthenticationError);
  assert.ok(performance.now() - start < 5000);
});

test("an unknown path, an unknown model", async () => {
  await assert.rejects(client("openai").post("/nothing-here", { body: {} }), OpenAI.NotFoundError);
  await assert.rejects(client("openai").models.retrieve("gpt-of-next-year"), OpenAI.NotFoundError);
});

test("what is not permitted, limited, overloaded", () =>
  withStand({ upstreams: ["openai"], keys: { denied: ["--deny-model", "gpt-5.1"], it: [] } }, async (stand) => {
    const ask = (name, input) => client(name, { stand }).responses.create({ model: "gpt-5.1", input });
    await assert.rejects(ask("denied", "x"), OpenAI.PermissionDeniedError);
    await assert.rejects(ask("it", "[[status 503]]"), OpenAI.InternalServerError);
    await assert.rejects(ask("it", "[[status 429 retry-after=40]]"), OpenAI.RateLimitError);
    await assert.rejects(ask("it", "again"), OpenAI.RateLimitError);
  }));

test("an error after the first words of a stream", async () => {
  for (const name of ["openai", "chatgpt", "claude", "gemini"]) {
    await withStand({ upstreams: [name], exact: false }, async (stand) => {
      const ask = { model: MODEL, messages: user("[[error-event 8]] [[long 900]]"), stream: true };
      let seen = 0;
      await assert.rejects(async () => {
        for await (const _ of await client(name, { stand }).chat.completions.create(ask)) seen++;
      }, OpenAI.APIError);
      assert.ok(seen > 0);
    });
  }
});
