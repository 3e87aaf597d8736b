import { describe, expect, it } from "vitest";
import { Refusal, Unreachable } from "../src/api";
import { timeTicks } from "../src/charts/ticks";
import type { Spend } from "../src/generated";
import { bars, isLine, marks, name, total, unit } from "../src/history/intervals";
import { whyNot } from "../src/history/why-not";

const NOW = Date.parse("2026-02-12T16:39:47Z");

function spend(from: string, to: string, usd: number, estimated = false): Spend {
  return { from: `${from}Z`, to: `${to}Z`, usd, estimated, partial: false };
}

describe("bars", () => {
  const days = [
    spend("2026-02-09T00:00:00", "2026-02-10T00:00:00", 4),
    spend("2026-02-12T00:00:00", "2026-02-13T00:00:00", 2, true),
  ];

  it("leave room for intervals without polls, without an amount", () => {
    expect(bars(days, NOW).map(({ label, usd }) => [label, usd])).toEqual([
      ["9 Feb", 4],
      ["10 Feb", null],
      ["11 Feb", null],
      ["12 Feb", 2],
    ]);
  });

  it("carry whether they are estimated", () => {
    expect(bars(days, NOW).map((bar) => bar.estimated)).toEqual([false, false, false, true]);
  });

  it("of hours are named by the local clock, of days and weeks by UTC's", () => {
    const hour = spend("2026-02-12T23:00:00", "2026-02-13T00:00:00", 1);
    expect(bars([hour], NOW)[0]).toMatchObject({ label: "00:00", title: "Fri 13 Feb, 00:00 CET" });
    expect(name(Date.parse("2026-02-12T00:00:00Z"), Date.parse("2026-02-13T00:00:00Z"), NOW)).toBe("Thu 12 Feb 2026 (UTC)");
    expect(name(Date.parse("2026-02-05T00:00:00Z"), Date.parse("2026-02-12T00:00:00Z"), NOW)).toBe(
      "Thu 5 Feb 2026 to Wed 11 Feb (UTC)",
    );
    expect([unit([hour]), unit(days), unit([])]).toEqual(["hour", "day", "day"]);
  });

  it("stay few when intervals make no sense", () => {
    const far = [spend("1970-01-01T00:00:00", "1970-01-01T00:00:01", 1), spend("2026-02-12T00:00:00", "2026-02-12T00:00:01", 1)];
    expect(bars(far, NOW).length).toBeLessThan(1000);
    expect(bars([spend("2026-02-12T00:00:00", "2026-02-12T00:00:00", 1), ...days], NOW).length).toBeLessThan(1000);
  });

  it("add up", () => expect(total(days)).toBe(6));
});

describe("the line", () => {
  const at = "2026-02-12T00:00:00.000Z";

  it("has a gap where nothing limited the key", () => {
    expect(marks([{ at, spendable: null, remaining: 3 }])).toEqual([{ x: Date.parse(at), y: null }]);
  });

  it("needs two points", () => {
    const [known, unknown] = [{ at, spendable: 1, remaining: 1 }, { at, spendable: null, remaining: null }];
    expect(isLine([known, unknown])).toBe(false);
    expect(isLine([known, known])).toBe(true);
  });
});

describe("a time axis", () => {
  const labels = (from: string, to: string, most: number) =>
    timeTicks(Date.parse(from), Date.parse(to), most).map((tick) => tick.label);

  it("is marked at whole local hours and days", () => {
    expect(labels("2026-02-11T16:40:00Z", "2026-02-12T16:40:00Z", 6)).toEqual(["18:00", "12 Feb", "06:00", "12:00"]);
    expect(labels("2026-02-05T16:40:00Z", "2026-02-12T16:40:00Z", 8)).toEqual(
      ["6 Feb", "7 Feb", "8 Feb", "9 Feb", "10 Feb", "11 Feb", "12 Feb"],
    );
  });

  it("stays at midnight when summer time begins", () => {
    expect(labels("2026-03-28T12:00:00Z", "2026-03-31T12:00:00Z", 5)).toEqual(["29 Mar", "30 Mar", "31 Mar"]);
  });

  it("never has more marks than there is room for", () => {
    for (const hours of [0.1, 1, 5, 24, 100, 700, 5_000, 50_000, 87_600]) {
      const to = NOW + hours * 3_600_000;
      for (const most of [3, 5, 10]) expect(timeTicks(NOW, to, most).length).toBeLessThanOrEqual(most);
    }
  });
});

describe("without a history", () => {
  const refused = (code: string) => whyNot(new Refusal(503, { error: "The database is locked.", code, hint: "Wait." }));

  it("says why", () => {
    expect(refused("no_history")).toContain("--no-history");
    expect(refused("history_unavailable")).toBe("The history cannot be read: The database is locked. Wait.");
    expect(whyNot(new Unreachable("gone"))).toContain("cannot reach orcredit");
  });
});
