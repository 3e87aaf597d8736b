import { describe, expect, it } from "vitest";
import { age, documentNow, hold } from "../src/clock";
import { balance, FETCHED_AT } from "./balances";

// The browser's clock is years off; nothing here may notice.
const BROWSER = Date.parse("2031-06-01T00:00:00Z");

describe("a balance that is held", () => {
  it("is as old as the server said, and grows older by the browser's clock", () => {
    const held = hold(balance(), 40, BROWSER);
    expect(age(held, BROWSER)).toBe(40_000);
    expect(age(held, BROWSER + 5_000)).toBe(45_000);
    expect(documentNow(held, BROWSER + 5_000)).toBe(Date.parse(FETCHED_AT) + 45_000);
  });

  it("is never younger than new, though the browser's clock is set back", () => {
    const held = hold(balance(), 0, BROWSER);
    expect(age(held, BROWSER - 3_600_000)).toBe(0);
  });
});
