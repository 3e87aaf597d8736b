// Spend by day as stacked bars: what is stacked, where it is drawn, what is said and written of it.

import { describe, expect, it } from "vitest";
import { sceneOf, stopsOf } from "../src/account/scene";
import { csvOf, stackOf } from "../src/account/stack";
import { activity, onDay, spend } from "./accounts";

const MODELS = ["a", "b", "c", "d", "e", "f", "g"];

const whole = activity(MODELS.map((model, index) => spend(7 - index, { model })));
const daily = activity(MODELS.flatMap((model, index) => [onDay(11, 6 - index, model), onDay(12, 1, model)]));
const SIZE = { width: 600, height: 240, em: 12 };

describe("the stack", () => {
  it("has every day of the span, the five largest and the others", () => {
    const stack = stackOf("model", whole, daily, null);
    expect(stack.days.map((day) => new Date(day).toISOString())).toEqual(
      ["10", "11", "12"].map((day) => `2026-02-${day}T00:00:00.000Z`),
    );
    expect(stack.series.map(({ name, total }) => [name, total])).toEqual([["a", 7], ["b", 6], ["c", 5], ["d", 4], ["e", 3], ["2 others", 3]]);
    expect(stack.series.map(({ amounts }) => amounts)).toEqual([[0, 6, 1], [0, 5, 1], [0, 4, 1], [0, 3, 1], [0, 2, 1], [0, 1, 2]]);
    expect(stack.hasOthers).toBe(true);
  });

  it("counts as others what is missing from the days", () => {
    const most = activity(daily.rows.slice(0, 4), { others: spend(3), truncated: true });
    const perDay = activity([spend(21, { start: "2026-02-11T00:00:00.000Z" }), spend(7, { start: "2026-02-12T00:00:00.000Z" })], { by: ["day"] });
    const { series } = stackOf("model", whole, most, perDay);
    expect(series.at(-1)?.amounts).toEqual([0, 21 - 6 - 5, 7 - 1 - 1]);
  });

  it("takes the noise of sums for nothing", () => {
    // 0.7 + 0.1 is 0.7999999999999999.
    const rows = [spend(0.7, { model: "a" }), spend(0.1, { model: "b" })];
    const days = activity([onDay(12, 0.7, "a"), onDay(12, 0.1, "b")]);
    const { series, hasOthers } = stackOf("model", activity(rows, { total: spend(0.8) }), days, null);
    expect(series).toHaveLength(2);
    expect(hasOthers).toBe(false);
  });

  it("names what has no name, and does not mix it with something of that name", () => {
    const rows = [spend(2, { app: null }), spend(1, { app: "no app named" })];
    const { series } = stackOf("app", activity(rows), activity([]), null);
    expect(series.map(({ name }) => name)).toEqual(["no app named", "no app named"]);
    expect(new Set(series.map(({ id }) => id)).size).toBe(2);
  });

  it("has no others where what the days lack of the largest is nothing that can be seen", () => {
    const five = activity(whole.rows.slice(0, 5));
    const lacking = (usd: number) => stackOf("model", five, daily, activity([spend(20 + usd, { start: "2026-02-11T00:00:00.000Z" })]));
    expect(lacking(0.001).hasOthers).toBe(false);
    expect(lacking(1).series.at(-1)).toMatchObject({ name: "others", total: 1 });
  });

  it("does not count how many others there are where that is not known", () => {
    expect(stackOf("model", activity(whole.rows, { others: spend(1) }), daily, null).series.at(-1)?.name).toBe("others");
  });

  it("has nothing to show where nothing was spent", () => {
    expect(stackOf("model", activity([spend(0, { model: "free" })]), activity([]), null).series).toEqual([]);
  });
});

describe("the bars", () => {
  const stack = stackOf("model", whole, daily, null);

  it("stand on each other, from the zero line to the day's sum", () => {
    const { bars, paths, y, frame } = sceneOf(stack, () => true, SIZE);
    expect(paths).toHaveLength(6);
    expect(bars.map((bar) => bar.height > 0)).toEqual([false, true, true]);
    expect(bars[1]?.y).toBeCloseTo(y(21));
    expect(paths[0]).toMatch(new RegExp(`^M[\\d.]+ ${Math.round(frame.below.bottom * 10) / 10}h`));
  });

  it("leave out what is hidden, and use its room", () => {
    const all = sceneOf(stack, () => true, SIZE);
    const few = sceneOf(stack, (place) => place === 4, SIZE);
    expect(few.paths.map((path) => path !== "")).toEqual([false, false, false, false, true, false]);
    expect(few.y.domain()[1]).toBeLessThan(all.y.domain()[1] ?? 0);
  });

  it("have an axis where nothing was spent", () => {
    const empty = sceneOf(stackOf("model", activity([]), activity([]), null), () => true, SIZE);
    expect(empty.ticks).toEqual([{ y: empty.frame.below.bottom, label: "$0" }]);
  });

  it("say what was spent on a day, the largest part of the span first", () => {
    const stops = stopsOf(stack, () => true, () => "the day");
    expect(stops[1]?.words(0)).toEqual(["the day", "$21.00 spent", "$6.00 a", "$5.00 b", "$4.00 c", "$3.00 d", "$2.00 e", "$1.00 2 others"]);
    expect(stopsOf(stack, (place) => place < 1, () => "the day")[1]?.words(0)).toEqual(["the day", "$6.00 spent", "$6.00 a"]);
    expect(stops[0]?.words(0)).toEqual(["the day", "$0.00 spent"]);
  });

  it("do not say names longer than a tooltip", () => {
    const long = stackOf("model", activity([spend(1, { model: "x".repeat(200) })]), activity([onDay(11, 1, "x".repeat(200))]), null);
    for (const word of stopsOf(long, () => true, () => "")[1]?.words(0) ?? []) expect(word.length).toBeLessThan(50);
  });
});

describe("the CSV", () => {
  it("quotes names, and runs no formula", () => {
    const rows = [spend(2, { key: '=HYPERLINK("x")' }), spend(1, { key: 'a, "b"' })];
    const days = activity([spend(0.5, { key: 'a, "b"', start: "2026-02-11T00:00:00.000Z" })]);
    expect(csvOf(stackOf("key", activity(rows), days, null))).toBe(
      'day,"\'=HYPERLINK(""x"")","a, ""b"""\n2026-02-10,0,0\n2026-02-11,0,0.5\n2026-02-12,0,0\n',
    );
  });
});
