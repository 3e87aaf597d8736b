import { describe, expect, it } from "vitest";
import { age, documentNow, hold, isOlder } from "../src/clock";
import { balance, FETCHED_AT, later } from "./balances";

// The browser's clock is years off; nothing here may notice.
const BROWSER = Date.parse("2031-06-01T00:00:00Z");

describe("a balance that is held", () => {
  it("is as old as the server said, and grows older by the browser's clock", () => {
    const held = hold(balance(), 40, BROWSER, null);
    expect(age(held, BROWSER)).toBe(40_000);
    expect(age(held, BROWSER + 5_000)).toBe(45_000);
    expect(documentNow(held, BROWSER + 5_000)).toBe(Date.parse(FETCHED_AT) + 45_000);
  });

  it("is never younger than new, though the browser's clock is set back", () => {
    const held = hold(balance(), 0, BROWSER, null);
    expect(age(held, BROWSER - 3_600_000)).toBe(0);
  });

  it("keeps its age when it comes again, since ages are told in whole seconds", () => {
    const first = hold(balance(), 3, BROWSER, null);
    const again = hold(balance({ stale: true }), 12, BROWSER + 10_000, first);
    expect(age(again, BROWSER + 10_000)).toBe(13_000);
    expect(again.balance.stale).toBe(true);
  });

  it("takes the server's word where the browser's clock has jumped", () => {
    const first = hold(balance(), 0, BROWSER, null);
    const again = hold(balance(), 60, BROWSER + 7_200_000, first);
    expect(age(again, BROWSER + 7_200_000)).toBe(60_000);
  });

  it("that is new does not inherit the age of the one before", () => {
    const first = hold(balance(), 50, BROWSER, null);
    const next = hold(balance({ fetchedAt: later(60) }), 1, BROWSER + 1_000, first);
    expect(age(next, BROWSER + 1_000)).toBe(1_000);
  });
});

describe("of two balances", () => {
  const held = hold(balance(), 0, BROWSER, null);
  const stale = hold(balance({ stale: true }), 0, BROWSER, null);

  it("the one with the earlier answer is older", () => {
    expect(isOlder(balance({ fetchedAt: later(-1) }), held)).toBe(true);
    expect(isOlder(balance({ fetchedAt: later(1) }), held)).toBe(false);
    expect(isOlder(balance(), null)).toBe(false);
  });

  it("with the same answer the stale one is newer", () => {
    expect(isOlder(balance({ stale: true }), held)).toBe(false);
    expect(isOlder(balance(), stale)).toBe(true);
    expect(isOlder(balance({ fetchedAt: later(60) }), stale)).toBe(false);
  });
});
