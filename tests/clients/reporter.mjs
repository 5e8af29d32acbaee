// Node's test events as the lines that run.py reads: `ok SECONDS NAME`, `FAIL SECONDS NAME` and what went wrong.
import { inspect } from "node:util";

export default async function* lines(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (`${data.skip}`.includes("pattern")) continue; // not asked for
    const verdict = data.skip !== undefined ? "skip" : type === "test:pass" ? "ok" : "FAIL";
    yield `${verdict} ${(data.details.duration_ms / 1000).toFixed(2).padStart(6)} s  ${data.name}\n`;
    if (verdict === "FAIL") yield `${inspect(data.details.error.cause ?? data.details.error, { depth: 6 })}\n`;
  }
}
