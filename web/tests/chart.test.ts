// The chart's axis, lines and words, computed without a document.

import { describe, expect, it } from "vitest";
import { bandOf, forecastOf } from "../src/chart/forecast";
import { amountOf, amountOfAll, marked, name, unit, within } from "../src/chart/intervals";
import { fitting, freeBox, textWidth } from "../src/chart/labels";
import { gapsOf, knownSince, stretchesOf } from "../src/chart/lines";
import { DAY, HOUR, reportedSince, spanOf, timeMarks } from "../src/chart/range";
import { stopsOf, nearest } from "../src/chart/stops";
import { nextIndex } from "../src/chart/walk";
import { balance, budget, FETCHED_AT, unlimited } from "./balances";
import { history, pace, point, spend } from "./histories";

const NOW = Date.parse(FETCHED_AT);
const RESET = Date.parse("2026-03-01T00:00:00Z");

describe("the time axis", () => {
  it("begins where the range says, whatever there is, and ends at the reset", () => {
    expect(spanOf("30d", null, balance(), NOW)).toEqual({ from: NOW - 30 * DAY, to: RESET });
    expect(spanOf("30d", history({ points: [point("2026-02-12T10:00:00", 3)] }), balance(), NOW).from).toBe(NOW - 30 * DAY);
  });

  it("shows at most 60 % of the past in the future, and never nothing", () => {
    expect(spanOf("24h", null, balance(), NOW)).toEqual({ from: NOW - DAY, to: NOW + 0.6 * DAY });
    expect(spanOf("24h", null, unlimited(), NOW).to).toBeGreaterThan(NOW);
    expect(spanOf("24h", null, unlimited(), NOW).to).toBeLessThan(NOW + HOUR);
  });

  it("of this period goes from its beginning to its reset", () => {
    const since = "2026-02-01T00:00:00.000Z";
    expect(spanOf("period", history({ since }), balance(), NOW)).toEqual({ from: Date.parse(since), to: RESET });
    // Without an answer, by the period's name.
    expect(spanOf("period", null, balance(), NOW).from).toBe(Date.parse(since));
    const weekly = balance({ budgets: [budget({ resetPeriod: "weekly", resetsAt: "2026-02-16T00:00:00.000Z" })] });
    expect(spanOf("period", null, weekly, NOW).from).toBe(Date.parse("2026-02-09T00:00:00Z"));
    const lifetime = balance({ resetsAt: null, budgets: [budget({ resetPeriod: null, resetsAt: null })] });
    expect(spanOf("period", null, lifetime, NOW)).toEqual({ from: Date.parse(since), to: RESET });
  });

  it("of everything begins at the first sample", () => {
    const first = "2025-11-02T10:00:00";
    expect(spanOf("all", history({ points: [point(first, 3)] }), balance(), NOW).from).toBe(Date.parse(`${first}Z`));
    expect(spanOf("all", history({ points: [point("2026-02-12T16:39:00", 3)] }), balance(), NOW).from).toBe(NOW - HOUR);
  });

  const labels = (from: string, to: string, count: number) =>
    timeMarks({ from: Date.parse(from), to: Date.parse(to) }, count).map((mark) => mark.label);

  it("is marked at local hours where it is short, at UTC's days where it is long, as the bars are", () => {
    expect(labels("2026-02-11T16:40:00Z", "2026-02-12T16:40:00Z", 4)).toEqual(["18:00", "12 Feb", "06:00", "12:00"]);
    // Many marks on a few days are hours, too.
    expect(labels("2026-02-09T00:00:00Z", "2026-02-12T12:00:00Z", 12).slice(1, 5)).toEqual(["12:00", "18:00", "10 Feb", "06:00"]);
    const days = timeMarks({ from: Date.parse("2026-02-05T16:40:00Z"), to: Date.parse("2026-02-12T16:40:00Z") }, 7);
    expect(days[0]).toEqual({ at: Date.parse("2026-02-06T00:00:00Z"), label: "6 Feb" });
  });

  it("names months, and years where they begin", () => {
    expect(labels("2025-10-15T00:00:00Z", "2026-03-15T00:00:00Z", 5)).toEqual(["Nov", "Dec", "2026", "Feb", "Mar"]);
  });
});

describe("labels", () => {
  it("that would cover one another are left out, the later one of the list", () => {
    const labels = [{ x: 50, text: "now" }, { x: 60, text: "reset 1 Feb" }, { x: 300, text: "reset 1 Mar" }];
    expect(fitting(labels, 12, 0, 310).map((label) => label.text)).toEqual(["now", "reset 1 Mar"]);
  });

  it("stay within the room", () => {
    const [label] = fitting([{ x: 309, text: "reset 1 Mar" }], 12, 0, 310);
    expect((label?.x ?? 0) + textWidth("reset 1 Mar", 12) / 2).toBeLessThanOrEqual(310);
    expect(fitting([{ x: 5, text: "reset 1 Mar" }], 12, 0, 40)).toEqual([]);
  });

  it("take the first place that covers no other and no line", () => {
    const room = { left: 0, right: 100, top: 0, bottom: 100 };
    const box = (left: number, top: number) => ({ left, right: left + 20, top, bottom: top + 10 });
    const candidates = [box(-5, 0), box(0, 0), box(40, 0), box(80, 90)];
    const line = [{ x: 0, y: 50 }, { x: 60, y: -10 }];
    expect(freeBox(candidates, room, [], [])).toBe(candidates[1]);
    expect(freeBox(candidates, room, [box(10, 5)], [])).toBe(candidates[2]);
    expect(freeBox(candidates, room, [box(10, 5)], [line])).toBe(candidates[3]);
    expect(freeBox(candidates.slice(0, 1), room, [], [])).toBeNull();
  });
});

describe("the line", () => {
  const samples = [0, 1, 2, 3, 4].map((at) => ({ at, usd: 10 - at }));
  const times = (stretches: { at: number }[][]) => stretches.map((stretch) => stretch.map((one) => one.at));

  it("breaks at gaps", () => {
    expect(times(stretchesOf(samples, [], []))).toEqual([[0, 1, 2, 3, 4]]);
    expect(times(stretchesOf(samples, [{ from: 1, to: 2 }], []))).toEqual([[0, 1], [2, 3, 4]]);
    expect(times(stretchesOf(samples, [{ from: 0, to: 1 }, { from: 3.2, to: 3.8 }], []))).toEqual([[0], [1, 2, 3], [4]]);
  });

  it("breaks at resets, which belong to the sample after", () => {
    expect(times(stretchesOf(samples, [], [2]))).toEqual([[0, 1], [2, 3, 4]]);
    expect(times(stretchesOf(samples, [], [2.5]))).toEqual([[0, 1, 2], [3, 4]]);
  });

  it("breaks where nothing limited the key", () => {
    const unlimitedAtTwo = samples.map((one) => (one.at === 2 ? { ...one, usd: null } : one));
    expect(times(stretchesOf(unlimitedAtTwo, [], []))).toEqual([[0, 1], [3, 4]]);
    expect(stretchesOf([], [], [])).toEqual([]);
  });

  it("is known of since the first sample, or since the gap before it", () => {
    const points = [point("2026-02-10T00:00:00", 3)];
    const gap = { from: "2026-02-01T00:00:00Z", to: "2026-02-10T00:00:00Z" };
    expect(knownSince(history({ points }))).toBe(Date.parse("2026-02-10T00:00:00Z"));
    expect(knownSince(history({ points, gaps: [gap] }))).toBe(Date.parse(gap.from));
    expect(knownSince(history())).toBeNull();
    expect(gapsOf(history({ gaps: [gap, { from: gap.to, to: gap.to }] }))).toEqual([
      { from: Date.parse(gap.from), to: Date.parse(gap.to) },
    ]);
  });
});

describe("the forecast", () => {
  const at = (iso: string) => Date.parse(iso);
  const out = at("2026-02-14T09:51:00Z");
  const start = { at: NOW, usd: 158.61 };

  it("goes to the run-out, with a cone between the earliest and the latest", () => {
    expect(forecastOf(balance({ pace: pace() }))).toEqual({
      line: [start, { at: out, usd: 0 }],
      cone: [start, { at: at("2026-02-13T22:00:00Z"), usd: 0 }, { at: at("2026-02-16T12:00:00Z"), usd: 0 }],
      isRunOut: true,
    });
  });

  it("goes to the reset where it lasts, with a cone of what is left then", () => {
    const lasts = { runsOutAt: null, runsOutEarliest: null, runsOutLatest: null, lastsUntilReset: true };
    const projected = { projectedAtReset: 440, projectedAtResetLow: 400, projectedAtResetHigh: 480 };
    expect(forecastOf(balance({ pace: pace({ ...lasts, ...projected }) }))).toEqual({
      line: [start, { at: RESET, usd: 60 }],
      cone: [start, { at: RESET, usd: 20 }, { at: RESET, usd: 100 }],
      isRunOut: false,
    });
  });

  it("has a cone to both the zero line and the reset where it may or may not last", () => {
    const perhaps = { runsOutAt: null, runsOutEarliest: "2026-02-25T00:00:00Z", projectedAtReset: 440, projectedAtResetLow: 400, projectedAtResetHigh: 620 };
    const corner = { at: at("2026-02-25T00:00:00Z"), usd: 0 };
    const wide = [start, corner, { at: RESET, usd: 0 }, { at: RESET, usd: 100 }];
    expect(forecastOf(balance({ pace: pace({ ...perhaps, runsOutLatest: null }) }))?.cone).toEqual(wide);
    // The latest run-out is at most the reset.
    expect(forecastOf(balance({ pace: pace({ ...perhaps, runsOutLatest: "2026-03-01T00:00:00Z" }) }))?.cone).toEqual(wide);
  });

  it("has no cone where others spend, too", () => {
    const upper = forecastOf(balance({ pace: pace({ isUpperBound: true, runsOutEarliest: null, runsOutLatest: null }) }));
    expect(upper).toEqual({ line: [start, { at: out, usd: 0 }], cone: null, isRunOut: true });
  });

  it("is not drawn without a pace, without an amount, or with nothing left", () => {
    expect(forecastOf(balance())).toBeNull();
    expect(forecastOf(balance({ pace: pace({ perDay: null }) }))).toBeNull();
    expect(forecastOf(unlimited({ pace: pace() }))).toBeNull();
    expect(forecastOf(balance({ level: "exhausted", spendable: 0, pace: pace() }))).toBeNull();
  });

  it("is not drawn through the reset of another budget", () => {
    const credit = pace({ scope: "account_credit", runsOutAt: "2026-05-01T00:00:00Z", runsOutEarliest: null, runsOutLatest: null });
    expect(forecastOf(balance({ pace: credit }))).toBeNull();
    expect(forecastOf(balance({ pace: { ...credit, runsOutAt: "2026-02-20T00:00:00Z" } }))?.isRunOut).toBe(true);
  });

  it("ends in a time without money", () => {
    expect(bandOf(balance({ pace: pace() }), NOW)).toMatchObject({ from: out, to: RESET, words: ["empty for 15 days", "15 days"] });
    expect(bandOf(balance({ pace: pace({ runsOutAt: null }) }), NOW)).toBeNull();
    const credit = balance({ budgets: [], limitedBy: "account_credit", pace: pace({ scope: "account_credit" }) });
    expect(bandOf(credit, NOW)).toMatchObject({ from: out, to: null, words: ["empty unless topped up", "empty"] });
  });

  it("is a time of refusals where nothing is left", () => {
    const refused = balance({ level: "exhausted", spendable: 0, refusedUntil: "2026-03-01T00:00:00.000Z" });
    expect(bandOf(refused, NOW)).toMatchObject({ from: NOW, to: RESET });
    expect(bandOf(refused, NOW)?.words[0]).toBe("refused until Sun 1 Mar, 01:00 CET");
    expect(bandOf({ ...refused, refusedUntil: null }, NOW)).toEqual({ from: NOW, to: null, words: ["refused"] });
  });
});

describe("the intervals of spend", () => {
  const hour = spend("2026-02-12T23:00:00", "2026-02-13T00:00:00", 1);
  const day = spend("2026-02-12T00:00:00", "2026-02-13T00:00:00", 2);

  it("are named by the local clock where they are hours, by UTC's days else", () => {
    expect(name(Date.parse(hour.from), Date.parse(hour.to), NOW)).toBe("Fri 13 Feb, 00:00 CET");
    expect(name(Date.parse(day.from), Date.parse(day.to), NOW)).toBe("Thu 12 Feb 2026 (UTC)");
    const week = [Date.parse("2026-02-05T00:00:00Z"), Date.parse("2026-02-12T00:00:00Z")] as const;
    expect(name(...week, NOW)).toBe("Thu 5 Feb 2026 to Wed 11 Feb (UTC)");
    expect(within(...week)).toBe("from 5 Feb to 11 Feb (UTC)");
    expect(within(Date.parse(hour.from), Date.parse(hour.to))).toBe("from 00:00 to 01:00");
    expect([unit([hour]), unit([day]), unit([])]).toEqual(["hour", "day", "day"]);
  });

  it("say what is estimated, and what is only the least", () => {
    expect(amountOf(day)).toBe("$2.00");
    expect(amountOf({ ...day, estimated: true })).toBe("~$2.00");
    expect(amountOf({ ...day, partial: true })).toBe("at least $2.00");
    expect(amountOfAll([day, { ...hour, estimated: true }])).toBe("~$3.00");
    expect(amountOfAll([])).toBe("$0.00");
    expect(marked({ ...day, reported: true })).toBe("$2.00 (reported)");
    expect(marked(day)).toBe("$2.00");
  });
});

describe("what was reported", () => {
  const told = history({
    since: "2025-11-01T00:00:00.000Z",
    spend: [spend("2025-11-01T00:00:00", "2025-11-02T00:00:00", 2, { reported: true })],
    points: [point("2026-02-10T10:00:00", 20)],
  });

  it("begins the axis and the sum before the key was watched", () => {
    expect(reportedSince(told)).toBe(Date.parse("2025-11-01T00:00:00Z"));
    expect(spanOf("all", told, balance(), NOW).from).toBe(reportedSince(told));
    expect(reportedSince(history({ points: told.points }))).toBeNull();
    expect(reportedSince(null)).toBeNull();
  });

  it("draws no line of what was left there", () => {
    expect(knownSince(told)).toBe(Date.parse("2026-02-10T10:00:00Z"));
  });
});

describe("the walk", () => {
  const days = [spend("2026-02-10T00:00:00", "2026-02-11T00:00:00", 4), spend("2026-02-11T00:00:00", "2026-02-12T00:00:00", 5)];
  const seen = history({
    points: [point("2026-02-10T10:00:00", 20), point("2026-02-10T12:00:00", null)],
    gaps: [{ from: "2026-02-10T12:00:00Z", to: "2026-02-12T10:00:00Z" }],
    spend: days,
  });
  const stops = stopsOf(seen, balance(), { from: NOW - 30 * DAY, to: NOW });
  const words = stops.map((stop) => stop.words(NOW).join(" | "));

  it("stops at every sample, and at bars and gaps without one", () => {
    expect(words).toEqual([
      "Tue 10 Feb, 11:00 CET | $20.00 left | $4.00 spent on 10 Feb (UTC)",
      "Tue 10 Feb, 13:00 CET | no limit | $4.00 spent on 10 Feb (UTC)",
      "Tue 10 Feb, 13:00 CET to Thu 12 Feb, 11:00 CET | not watched for 1 d 22 h",
      "Wed 11 Feb 2026 (UTC) | $5.00 spent",
      "Thu 12 Feb, 17:39 CET | $158.61 left",
    ]);
  });

  it("says what was left at a bar between two equal samples, where nothing changed", () => {
    const still = (left: number) => ({ points: [point("2026-02-09T10:00:00", 20), point("2026-02-12T10:00:00", left)], spend: days });
    const at = (left: number) => stopsOf(history(still(left)), balance(), { from: NOW - 30 * DAY, to: NOW })[1]?.words(NOW);
    expect(at(20)).toEqual(["Tue 10 Feb 2026 (UTC)", "$20.00 left", "$4.00 spent"]);
    expect(at(10)).toEqual(["Tue 10 Feb 2026 (UTC)", "$4.00 spent"]);
    const told = history({ spend: [{ ...days[0]!, reported: true }] });
    expect(stopsOf(told, balance(), { from: NOW - 30 * DAY, to: NOW })[0]?.words(NOW)[1]).toBe("$4.00 (reported) spent");
  });

  it("goes to the stop nearest in time", () => {
    expect(nearest(stops, NOW)).toBe(4);
    expect(nearest(stops, 0)).toBe(0);
    expect(nearest([], NOW)).toBe(-1);
  });

  it("is led by the arrow keys, and stays on the chart", () => {
    const from = (key: string, index: number | null) => nextIndex(key, index, 99);
    expect([from("ArrowLeft", 5), from("ArrowRight", 5), from("PageUp", 5), from("PageDown", 5)]).toEqual([4, 6, 15, 0]);
    expect([from("Home", 5), from("End", 5), from("ArrowRight", 99), from("ArrowLeft", null)]).toEqual([0, 99, 99, 98]);
    expect(from("a", 5)).toBeNull();
    expect(nextIndex("Home", null, -1)).toBeNull();
  });
});
