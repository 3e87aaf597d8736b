import { describe, expect, it } from "vitest";
import * as format from "../src/format";
import { budget } from "./balances";

const NOW = Date.parse("2026-02-12T16:39:47Z");

describe("dollars", () => {
  it.each([
    [1234.5, "$1,234.50"],
    [158.61, "$158.61"],
    [-0.25, "-$0.25"],
    [0, "$0.00"],
    [-0, "$0.00"],
    [0.01, "$0.01"],
    [0.0018, "$0.0018"],
    [0.00184, "$0.0018"],
    [-0.0000012, "-$0.0000012"],
    [0.00000001, "$0.00000001"],
    [0.0099999, "$0.01"],
    [0.005, "$0.005"],
    [0.125, "$0.12"],
    [0.135, "$0.14"],
    [2.675, "$2.68"],
    [0.00125, "$0.0012"],
    [1e12, "$1,000,000,000,000.00"],
  ])("writes %d as %s", (amount, text) => expect(format.usd(amount)).toBe(text));

  it("never writes what is not known as an amount", () => {
    expect(format.usd(null)).toBe("–");
    expect(format.usd(undefined)).toBe("–");
    expect(format.usd(Number.NaN)).toBe("–");
  });

  it("gives an axis as many decimals as its ticks are apart", () => {
    expect(format.usdTick(1500, 500)).toBe("$1,500");
    expect(format.usdTick(1.5, 0.5)).toBe("$1.50");
    expect(format.usdTick(0.002, 0.001)).toBe("$0.002");
    expect(format.usdTick(-5, 5)).toBe("-$5");
  });
});

describe("percentages", () => {
  it("have one decimal", () => {
    expect(format.percent(31.7, 158.61)).toBe("31.7%");
    expect(format.percent(80, 80)).toBe("80.0%");
    expect(format.percent(-0.2, -0.25)).toBe("-0.2%");
  });

  it("do not show a remainder as 0", () => {
    expect(format.percent(0, 0.01)).toBe("<0.1%");
    expect(format.percent(0, 0)).toBe("0.0%");
  });

  it("say when they are not known", () => expect(format.percent(null, null)).toBe("–"));
});

describe("durations", () => {
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
  it.each([
    [-1, "0 s"],
    [0, "0 s"],
    [59_999, "59 s"],
    [minute, "1 min"],
    [82_000, "1 min 22 s"],
    [179_000, "2 min"],
    [12 * minute, "12 min"],
    [3 * hour + 5 * minute, "3 h 5 min"],
    [5 * hour, "5 h"],
    [16 * day + 7 * hour + 20 * minute, "16 d 7 h"],
    [30 * day, "30 d"],
    [1234 * day, "1,234 d"],
  ])("writes %d ms as %s", (length, text) => expect(format.duration(length)).toBe(text));

  it("does not count down below zero", () => {
    expect(format.until("2026-03-01T00:00:00Z", NOW)).toBe("in 16 d 7 h");
    expect(format.until("2026-02-12T16:39:47Z", NOW)).toBe("due now");
    expect(format.runOutIn("2026-02-12T16:40:47Z", NOW)).toBe("in 1 min");
    expect(format.runOutIn("2026-02-12T16:39:47Z", NOW)).toBe("about now");
  });

  it.each([
    [1_000, "1 second"],
    [59_000, "59 seconds"],
    [3 * minute + 40_000, "3 minutes"],
    [hour, "1 hour"],
    [47 * hour, "47 hours"],
    [49 * hour, "2 days"],
  ])("writes an age of %d ms as %s", (length, text) => expect(format.ageInWords(length)).toBe(text));

  it("leaves hours out in few characters", () => {
    expect(format.shortly(10 * day + 5 * hour)).toBe("10 d");
    expect(format.shortly(10 * day - 1)).toBe("9 d 23 h");
  });

  it("counts the first minute in steps", () => {
    expect(format.ago(0)).toBe("just now");
    expect(format.ago(12_300)).toBe("10 s ago");
    expect(format.ago(14_999)).toBe("10 s ago");
    expect(format.ago(60_000)).toBe("1 min ago");
  });
});

describe("instants", () => {
  it("are local, with their zone", () => {
    expect(format.instant("2026-03-01T00:00:00.000Z", NOW)).toBe("Sun 1 Mar, 01:00 CET");
    expect(format.instant("2026-07-01T00:00:00.000Z", NOW)).toBe("Wed 1 Jul, 02:00 CEST");
  });

  it("have a year where it is another one", () => {
    expect(format.instant("2027-01-01T00:00:00Z", NOW)).toBe("Fri 1 Jan 2027, 01:00 CET");
    expect(format.instant("9999-12-31T12:00:00Z", NOW)).toContain("9999");
  });

  it("are short where a day or a time is enough", () => {
    expect(format.near("2026-02-13T16:39:46Z", NOW)).toBe("17:39");
    expect(format.near("2026-02-13T16:39:47Z", NOW)).toBe("13 February");
    expect(format.near("2027-03-01T00:00:00Z", NOW)).toBe("1 March 2027");
    expect(format.closeDay("2026-02-12T22:59:00Z", NOW)).toBe("today, 23:59");
    expect(format.closeDay("2026-02-12T23:00:00Z", NOW)).toBe("tomorrow, 00:00");
    expect(format.closeDay("2026-02-13T23:00:00Z", NOW)).toBeNull();
    expect(format.weekday("2026-09-12T10:00:00Z", NOW)).toBe("Sat 12 Sep");
    expect(format.weekday("2027-01-01T10:00:00Z", NOW)).toBe("Fri 1 Jan 2027");
  });

  it("that make no sense are shown as they are", () => expect(format.instant("soon", NOW)).toBe("soon"));

  it("of another day say which", () => {
    expect(format.timeOfDay("2026-02-12T13:02:11Z", NOW)).toBe("14:02:11");
    expect(format.timeOfDay("2026-02-11T13:02:11Z", NOW)).toBe("11 Feb, 14:02:11");
  });

  it("name the zone", () => expect(format.zoneName()).toBe("Europe/Berlin"));
});

describe("OpenRouter's words", () => {
  it("are put in ours where they are known, and shown as they are where not", () => {
    expect(format.scopeInWords("key_limit")).toBe("key limit");
    expect(format.scopeInWords("account_credit")).toBe("account's credit");
    expect(format.scopeInWords("galaxy_wide_budget")).toBe("galaxy wide budget");
    expect(format.scopeInWords("constructor")).toBe("constructor");
    expect(format.scopeInWords("x".repeat(500))).toBe(`${"x".repeat(21)}...`);
    expect(format.scopeInWords("🌌".repeat(24))).toBe("🌌".repeat(24));
  });

  it("say when a limit resets", () => {
    expect(format.resets(budget(), NOW)).toBe("monthly, in 16 d 7 h · Sun 1 Mar, 01:00 CET");
    expect(format.resets(budget({ resetPeriod: null, resetsAt: null }), NOW)).toBe("never");
    expect(format.resets(budget({ resetPeriod: "every_full_moon", resetsAt: null }), NOW)).toBe(
      "every full moon (when is not known)",
    );
    expect(format.resets(budget({ resetPeriod: "" }), NOW)).toBe("in 16 d 7 h · Sun 1 Mar, 01:00 CET");
    expect(format.resets(budget({ resetPeriod: null }), NOW)).toBe("in 16 d 7 h · Sun 1 Mar, 01:00 CET");
  });
});
