// Google's Gen AI SDK for JavaScript against the relay.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { ApiError, GoogleGenAI } from "@google/genai";
import { openStand, withStand } from "./desk.mjs";
import { png } from "./pictures.mjs";

const MODEL = "the-model"; // what the keys of upstreams call their account's model
const OWN = "gemini-2.5-pro";
const BOTH = ["gemini", "code-assist"];
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const functionDeclarations = ["get_weather", "get_time"].map((name) => ({
  name,
  description: "asks",
  parametersJsonSchema: city,
}));
const TWO_TOOLS = '[[tool get_weather {"city": "Zürich"}]] [[tool get_time {"city": "成都"}]]';

let shared;
before(async () => (shared = await openStand({ upstreams: BOTH })));
afterEach(() => shared.checkUsage());
after(() => shared?.close());

function client(name, { stand = shared, apiKey = stand.keys[name] } = {}) {
  const httpOptions = { baseUrl: `${stand.base}/gemini`, timeout: 20_000, retryOptions: { attempts: 1 } };
  return new GoogleGenAI({ apiKey, httpOptions });
}

/** A test that is run with a client of each kind of account. */
const ofBoth = (title, body) =>
  test(title, async () => {
    for (const name of BOTH) {
      try {
        await body(client(name).models, name);
      } catch (error) {
        error.message = `${name}: ${error.message}`;
        throw error;
      }
    }
  });

ofBoth("a message", async (models, name) => {
  const config = { systemInstruction: "Be brief.", maxOutputTokens: 500 };
  const answer = await models.generateContent({ model: MODEL, contents: `[[say 你好, ${name}]]`, config });
  assert.deepEqual([answer.text, answer.candidates[0].finishReason], [`你好, ${name}`, "STOP"]);
  assert.ok(answer.usageMetadata.promptTokenCount > 0 && answer.usageMetadata.candidatesTokenCount > 0);
});

ofBoth("a stream", async (models) => {
  const said = "水を飲む — every byte of a stream arrives 🙂 ".repeat(10);
  const texts = [];
  let last;
  for await (const chunk of await models.generateContentStream({ model: MODEL, contents: `[[say ${said}]]` })) {
    texts.push(chunk.text ?? "");
    last = chunk;
  }
  assert.ok(texts.length > 3);
  assert.equal(texts.join(""), said);
  assert.ok(last.usageMetadata.candidatesTokenCount > 0);
});

ofBoth("a round trip of tools at once", async (models) => {
  const contents = [{ role: "user", parts: [{ text: TWO_TOOLS }] }];
  const config = { tools: [{ functionDeclarations }] };
  const first = await models.generateContent({ model: MODEL, contents, config });
  const calls = first.functionCalls.map((call) => [call.name, call.args]);
  assert.deepEqual(calls, [["get_weather", { city: "Zürich" }], ["get_time", { city: "成都" }]]);
  const parts = first.functionCalls.map(({ id, name }) => ({ functionResponse: { id, name, response: { output: "föhn" } } }));
  contents.push(first.candidates[0].content, { role: "user", parts });
  assert.match((await models.generateContent({ model: MODEL, contents, config })).text, /föhn/);
});

ofBoth("a tool in a stream", async (models) => {
  const calls = [];
  const ask = { model: MODEL, contents: TWO_TOOLS, config: { tools: [{ functionDeclarations }] } };
  for await (const chunk of await models.generateContentStream(ask)) calls.push(...(chunk.functionCalls ?? []));
  assert.deepEqual(calls.map((call) => call.args.city), ["Zürich", "成都"]);
});

ofBoth("thoughts go and come back", async (models) => {
  const config = { thinkingConfig: { includeThoughts: true } };
  const contents = [{ role: "user", parts: [{ text: "[[think]] [[say so]]" }] }];
  const first = await models.generateContent({ model: MODEL, contents, config });
  assert.equal(first.text, "so");
  assert.ok(first.usageMetadata.thoughtsTokenCount > 0);
  assert.ok(first.candidates[0].content.parts.some((part) => part.thought));
  contents.push(first.candidates[0].content, { role: "user", parts: [{ text: "[[say and so]]" }] });
  assert.equal((await models.generateContent({ model: MODEL, contents, config })).text, "and so");
});

ofBoth("structured output and an image", async (models) => {
  const ada = { name: "Ada ✓", tags: ["x", "y"] };
  const tags = { type: "array", items: { type: "string" } };
  const responseJsonSchema = { type: "object", properties: { name: { type: "string" }, tags }, required: ["name"] };
  const config = { responseMimeType: "application/json", responseJsonSchema };
  const answer = await models.generateContent({ model: MODEL, contents: `[[say ${JSON.stringify(ada)}]]`, config });
  assert.deepEqual(JSON.parse(answer.text), ada);
  const inlineData = { mimeType: "image/png", data: png().toString("base64") };
  const contents = [{ role: "user", parts: [{ text: "what is it?" }, { inlineData }] }];
  assert.match((await models.generateContent({ model: MODEL, contents })).text, /saw 1 image/);
});

ofBoth("counting tokens", async (models) => {
  assert.ok((await models.countTokens({ model: OWN, contents: "count this" })).totalTokens > 0);
});

test("embeddings", async () => {
  const made = await client("gemini").models.embedContent({ model: "gemini-embedding-001", contents: ["one", "two"] });
  assert.deepEqual(made.embeddings.map((one) => one.values.length), [4, 4]);
});

ofBoth("models", async (models) => {
  const names = [];
  for await (const model of await models.list()) names.push(model.name);
  assert.ok(names.includes(`models/${MODEL}`), names);
  assert.equal((await models.get({ model: MODEL })).name, `models/${MODEL}`);
});

const isError = (status, pattern) => (error) => {
  assert.ok(error instanceof ApiError, error);
  assert.equal(error.status, status, error.message);
  return pattern.test(error.message);
};

ofBoth("a fault of the caller says what the provider said", async (models) => {
  const contents = "[[status 400 your prompt is too long: 300000]]";
  await assert.rejects(models.generateContent({ model: MODEL, contents }), isError(400, /too long: 300000/));
  await assert.rejects(models.generateContentStream({ model: MODEL, contents }), isError(400, /too long: 300000/));
});

test("a wrong key, an unknown model", async () => {
  const wrong = client("gemini", { apiKey: "cr_not-a-key" }).models;
  await assert.rejects(wrong.generateContent({ model: MODEL, contents: "x" }), isError(401, /UNAUTHENTICATED/));
  await assert.rejects(client("gemini").models.get({ model: "gemini-of-next-year" }), isError(404, /NOT_FOUND/));
});

test("what is not permitted, limited, overloaded", async () => {
  for (const name of BOTH) {
    await withStand({ upstreams: [name], keys: { denied: ["--deny-model", OWN], it: [] } }, async (stand) => {
      const ask = (key, contents) => client(key, { stand }).models.generateContent({ model: OWN, contents });
      await assert.rejects(ask("denied", "x"), isError(403, /PERMISSION_DENIED/));
      await assert.rejects(ask("it", "[[status 503]]"), isError(503, /UNAVAILABLE/));
      await assert.rejects(ask("it", "[[status 429 retry-after=40]]"), isError(429, /RESOURCE_EXHAUSTED/));
      await assert.rejects(ask("it", "again"), isError(429, /RESOURCE_EXHAUSTED/));
    });
  }
});

test("an error after the first words of a stream", () =>
  withStand({ upstreams: ["gemini"], exact: false }, async (stand) => {
    const ask = { model: MODEL, contents: "[[error-event 4]] [[long 900]]" };
    const texts = [];
    await assert.rejects(async () => {
      for await (const chunk of await client("gemini", { stand }).models.generateContentStream(ask)) texts.push(chunk.text);
    }, ApiError);
    assert.ok(texts.length > 0);
  }));
