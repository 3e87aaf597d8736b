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
    expect(merged([event("10:00:01", "a")], [event("10:00:00", "a"), event("10:01:00", "a")])).toHaveLength(2);
  });
});
