// The Anthropic SDK for JavaScript against the relay.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { openStand, withStand } from "./desk.mjs";
import { png } from "./pictures.mjs";

const MODEL = "claude-sonnet-4-6";
const WEATHER = {
  name: "get_weather",
  description: "The weather in a city.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

let shared;
before(async () => (shared = await openStand()));
afterEach(() => shared.checkUsage());
after(() => shared?.close());
const needsRelay = () => ({ skip: process.env.DIRECT ? "without a relay" : false });

const user = (content) => [{ role: "user", content }];
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

function client(stand, { path = "/api", ...options } = {}) {
  const baseURL = stand.base + (stand.direct ? "" : path);
  return new Anthropic({ apiKey: stand.key, baseURL, timeout: 20_000, maxRetries: 0, ...options });
}

function create(content, options = {}) {
  return client(shared).messages.create({ model: MODEL, max_tokens: 2000, messages: user(content), ...options });
}

test("a message", async () => {
  const answer = await create("[[say 你好, world]]");
  assert.equal(textOf(answer), "你好, world");
  assert.deepEqual([answer.model, answer.stop_reason], [MODEL, "end_turn"]);
  assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
});

test("each path of the family", async () => {
  for (const path of ["/api", "/api/", "/claude", "/openai/claude", ""]) {
    const ask = { model: MODEL, max_tokens: 50, messages: user(`[[say at ${path}.]]`) };
    assert.equal(textOf(await client(shared, { path }).messages.create(ask)), `at ${path}.`);
  }
});

test("a stream", async () => {
  const said = "水を飲む — every byte of a stream arrives 🙂 ".repeat(20);
  const parts = [];
  const stream = client(shared).messages.stream({ model: MODEL, max_tokens: 2000, messages: user(`[[say ${said}]]`) });
  stream.on("text", (text) => parts.push(text));
  const final = await stream.finalMessage();
  assert.ok(parts.length > 3);
  assert.equal(parts.join(""), said);
  assert.equal(textOf(final), said);
});

test("a round trip of a tool", async () => {
  const ask = { model: MODEL, max_tokens: 500, tools: [WEATHER], messages: user('[[tool get_weather {"city": "Zürich"}]]') };
  const first = await client(shared).messages.create(ask);
  assert.equal(first.stop_reason, "tool_use");
  const use = first.content.at(-1);
  assert.deepEqual([use.name, use.input], ["get_weather", { city: "Zürich" }]);
  const result = { type: "tool_result", tool_use_id: use.id, content: "föhn, 21 °C" };
  const messages = [...ask.messages, { role: "assistant", content: first.content }, ...user([result])];
  assert.match(textOf(await client(shared).messages.create({ ...ask, messages })), /föhn, 21 °C/);
});

test("a tool in a stream", async () => {
  const messages = user('[[tool get_weather {"city": "成都"}]]');
  const stream = client(shared).messages.stream({ model: MODEL, max_tokens: 500, tools: [WEATHER], messages });
  assert.deepEqual((await stream.finalMessage()).content.at(-1).input, { city: "成都" });
});

test("thinking goes and comes back", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const first = await create("[[think]] [[say so]]", { thinking });
  assert.deepEqual(first.content.map((block) => block.type), ["thinking", "text"]);
  assert.ok(first.content[0].signature);
  const messages = [...user("[[think]] [[say so]]"), { role: "assistant", content: first.content }, ...user("[[say and so]]")];
  assert.equal(textOf(await create("", { thinking, messages })), "and so");
});

test("an image", async () => {
  const source = { type: "base64", media_type: "image/png", data: png().toString("base64") };
  assert.match(textOf(await create([{ type: "image", source }, { type: "text", text: "what is it?" }])), /saw 1 image/);
});

test("counting tokens", async () => {
  const counted = await client(shared).messages.countTokens({ model: MODEL, messages: user("count this") });
  assert.ok(counted.input_tokens > 0);
});

test("models", async () => {
  const ids = [];
  for await (const model of client(shared).models.list()) ids.push(model.id);
  assert.ok(ids.includes(MODEL));
  const one = await client(shared).models.retrieve(MODEL);
  assert.deepEqual([one.id, one.type], [MODEL, "model"]);
  assert.ok(one.display_name && one.created_at);
});

test("ten streams at once", async () => {
  const one = async (number) => {
    const messages = user(`[[say answer ${number}]]`);
    return textOf(await client(shared).messages.stream({ model: MODEL, max_tokens: 99, messages }).finalMessage());
  };
  const numbers = [...Array(10).keys()];
  assert.deepEqual(await Promise.all(numbers.map(one)), numbers.map((number) => `answer ${number}`));
});

test("a fault of the caller says what the provider said", async () => {
  await assert.rejects(create("[[status 400 prompt is too long: 300000 tokens]]"), (error) => {
    assert.ok(error instanceof Anthropic.BadRequestError);
    assert.match(error.message, /prompt is too long: 300000 tokens/);
    return error.type === "invalid_request_error";
  });
});

test("an unknown path, an unknown model", async () => {
  await assert.rejects(client(shared).post("/v1/nothing-here", { body: {} }), Anthropic.NotFoundError);
  await assert.rejects(client(shared).models.retrieve("claude-of-next-year"), Anthropic.NotFoundError);
});

test("a wrong key is refused at once though the client would retry", needsRelay(), async () => {
  const wrong = client(shared, { apiKey: "cr_not-a-key", maxRetries: 5 });
  const start = performance.now();
  await assert.rejects(wrong.messages.create({ model: MODEL, max_tokens: 9, messages: user("x") }), (error) => {
    assert.ok(error instanceof Anthropic.AuthenticationError);
    assert.equal(error.headers.get("x-should-retry"), "false");
    return error.type === "authentication_error";
  });
  assert.ok(performance.now() - start < 5000);
});

test("a model that is not permitted", needsRelay(), () =>
  withStand({ env: { UNKNOWN_PRICE: "refuse" } }, async (stand) => {
    const eager = client(stand, { maxRetries: 5 });
    const asked = eager.messages.create({ model: "unpriced-model", max_tokens: 9, messages: user("x") });
    await assert.rejects(asked, Anthropic.PermissionDeniedError);
  }));

test("all accounts limited", needsRelay(), () =>
  withStand({ accounts: 2 }, async (stand) => {
    const send = (text) => client(stand).messages.create({ model: MODEL, max_tokens: 9, messages: user(text) });
    await assert.rejects(send("[[status 429 retry-after=40]]"), Anthropic.RateLimitError);
    await assert.rejects(send("again"), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError);
      const seconds = Number(error.headers.get("retry-after"));
      return seconds >= 30 && seconds <= 45;
    });
  }));

test("an overloaded provider", () =>
  withStand({}, async (stand) => {
    const asked = client(stand).messages.create({ model: MODEL, max_tokens: 9, messages: user("[[status 529]]") });
    await assert.rejects(asked, (error) => error instanceof Anthropic.OverloadedError && error.status === 529);
  }));

test("an error after the first words of a stream", () =>
  withStand({ exact: false }, async (stand) => {
    const seen = [];
    const ask = { model: MODEL, max_tokens: 500, messages: user("[[error-event 6]]"), stream: true };
    await assert.rejects(
      async () => {
        for await (const event of await client(stand).messages.create(ask)) seen.push(event.type);
      },
      (error) => error instanceof Anthropic.APIError && error.type === "overloaded_error",
    );
    assert.ok(seen.includes("content_block_delta"));
  }));

test("a request too large", needsRelay(), () =>
  withStand({ env: { REQUEST_MAX_SIZE_MB: "1" } }, async (stand) => {
    const messages = user("x".repeat(3_000_000));
    const asked = client(stand).messages.create({ model: MODEL, max_tokens: 9, messages });
    await assert.rejects(asked, Anthropic.ContentTooLargeError);
  }));

test("on accounts of other families", needsRelay(), async () => {
  const upstreams = ["openai-responses", "openai-chat", "chatgpt", "gemini", "code-assist"];
  await withStand({ upstreams }, async (stand) => {
    for (const name of upstreams) {
      const { messages } = client(stand, { apiKey: stand.keys[name] });
      const ask = { model: "the-model", max_tokens: 500, tools: [WEATHER] };
      const stream = messages.stream({ ...ask, messages: user(`[[say 你好, ${name}]]`) });
      assert.equal(textOf(await stream.finalMessage()), `你好, ${name}`);
      const asked = user('[[tool get_weather {"city": "Zürich"}]] [[tool get_weather {"city": "成都"}]]');
      const first = await messages.create({ ...ask, messages: asked });
      const uses = first.content.filter((block) => block.type === "tool_use");
      assert.deepEqual(uses.map((use) => use.input.city), ["Zürich", "成都"], name);
      const results = uses.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "föhn, 21 °C" }));
      const turns = [...asked, { role: "assistant", content: first.content }, ...user(results)];
      assert.match(textOf(await messages.create({ ...ask, messages: turns })), /föhn, 21 °C/);
      const wrong = { ...ask, messages: user("[[status 400 your prompt is too long: 300000]]") };
      await assert.rejects(messages.create(wrong), (error) => {
        assert.ok(error instanceof Anthropic.BadRequestError);
        return /your prompt is too long: 300000/.test(error.message);
      });
    }
  });
});
