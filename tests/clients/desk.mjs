// For the tests in JavaScript: stands (stands.py).
import assert from "node:assert/strict";

async function ask(method, path, body) {
  const answer = await fetch(process.env.DESK + path, { method, body: body && JSON.stringify(body) });
  const value = await answer.json();
  assert.ok(answer.ok, value.error);
  return value;
}

/** A relay with a fake provider behind it: {base, key, keys, direct, usage(), requests(), close()}. */
export async function openStand(wishes = {}) {
  const stand = await ask("POST", "/stands", wishes);
  const get = (what) => ask("GET", `/stands/${stand.id}/${what}`);
  return {
    ...stand,
    key: stand.keys.it,
    requests: () => get("requests"),
    close: () => ask("DELETE", `/stands/${stand.id}`),
    /** The relay's books must equal the provider's. */
    async checkUsage() {
      const { relay, provider } = await get("usage");
      assert.deepEqual(relay, provider, "what crs usage says, and what the provider served");
    },
  };
}

/** Runs `body` with a stand of its own, for what leaves marks on accounts or (not `exact`) estimates in the books. */
export async function withStand({ exact = true, ...wishes }, body) {
  const stand = await openStand(wishes);
  try {
    await body(stand);
    if (exact) await stand.checkUsage();
  } finally {
    await stand.close();
  }
}
