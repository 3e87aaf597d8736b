import { describe, expect, it } from "vitest";
import { merged } from "../src/events";
import type { SnapshotEvent } from "../src/generated";

function event(at: string, text: string): SnapshotEvent {
  return { at: `2026-02-12T${at}.000Z`, kind: "level", text, isWorse: false };
}

describe("events", () => {
  it("are shown newest first", () => {
    const texts = merged([event("10:00:00", "a"), event("11:00:00", "b")], [event("12:00:00", "c")]).map(({ text }) => text);
    expect(texts).toEqual(["c", "b", "a"]);
  });

  it("are shown once when the history has recorded what the stream said", () => {
    const away = { kind: "unreachable", isWorse: true };
    const recorded = [{ ...event("10:00:01", "it does not answer"), ...away }];
    const live = [recorded[0]!, { ...event("10:06:00", "it does not answer"), ...away }];
    expect(merged(recorded, live)).toHaveLength(2);
  });

  it("are shown once when another process, or another clock, has recorded them first", () => {
    expect(merged([event("10:00:00", "low now")], [event("11:10:00", "low now")])).toHaveLength(1);
    const fast = (at: string, amount: string) => ({ ...event(at, `spending ${amount}: the key limit is gone in 5 min`), kind: "runaway" });
    expect(merged([fast("10:00:00", "$43.00 a minute")], [fast("10:00:40", "$1,041.50 a minute, 900 × the usual pace")])).toHaveLength(1);
    expect(merged([fast("10:00:00", "$43.00 a minute")], [{ ...fast("10:00:40", "$41.50 a minute"), isWorse: true }])).toHaveLength(2);
    const reset = (at: string, of: string, left: string) => ({ ...event(at, `the ${of} was reset: ${left} left`), kind: "reset" });
    expect(merged([reset("10:00:00", "key limit", "$500.00")], [reset("10:01:00", "key limit", "$499.12")])).toHaveLength(1);
    expect(merged([reset("10:00:00", "key limit", "$500.00")], [reset("10:00:00", "member budget", "$500.00")])).toHaveLength(2);
  });

  it("are as many as happened, where the level changes to and fro", () => {
    const all = [event("10:00:00", "low now"), event("10:01:00", "ok now"), event("10:02:00", "low now")];
    expect(merged(all, all)).toHaveLength(3);
    expect(merged(all.slice(0, 2), all)).toHaveLength(3);
  });
});
