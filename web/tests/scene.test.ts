// The chart in pixels: what is drawn where, and that words cover nothing.

import { describe, expect, it } from "vitest";
import { spanOf } from "../src/chart/range";
import { type Scene, sceneOf } from "../src/chart/scene";
import { sentence } from "../src/chart/sentence";
import { textWidth } from "../src/chart/labels";
import type { Balance, HistoryDocument } from "../src/generated";
import { balance, budget, FETCHED_AT, unlimited } from "./balances";
import { history, pace, point, spend } from "./histories";

const NOW = Date.parse(FETCHED_AT);
const SIZE = { width: 900, height: 350, em: 12 };

const SEEN = history({
  points: [
    point("2026-01-20T00:00:00", 210),
    point("2026-01-31T23:59:00", 62),
    point("2026-02-01T00:01:00", 500),
    point("2026-02-05T10:00:00", 500),
    point("2026-02-06T17:00:00", 500),
    point("2026-02-12T16:00:00", 160),
  ],
  gaps: [{ from: "2026-02-05T10:00:00Z", to: "2026-02-06T17:00:00Z" }],
  resets: [{ at: "2026-02-01T00:00:00Z", scope: "key_limit", period: "monthly" }],
  spend: [
    spend("2026-02-09T00:00:00", "2026-02-10T00:00:00", 4),
    spend("2026-02-11T00:00:00", "2026-02-12T00:00:00", 2, { estimated: true }),
  ],
});

function scene(seen: HistoryDocument | null = SEEN, of: Balance = balance({ pace: pace() }), size = SIZE): Scene {
  return sceneOf({ history: seen, range: "30d", balance: of, now: NOW }, size);
}

describe("the chart", () => {
  it("has both y axes from zero, as high as the limit", () => {
    const { y, frame, levels, ticks } = scene();
    expect(y(0)).toBe(frame.above.bottom);
    expect(y.domain()).toEqual([0, 500]);
    expect(ticks[0]).toEqual({ y: frame.above.bottom, label: "$0" });
    expect(levels.map((level) => level.words?.text)).toEqual(["limit $500.00", "low: 10%"]);
    expect(levels[1]?.y).toBeCloseTo(y(50));
  });

  it("names a limit that is far above what is left, without a line", () => {
    const far = balance({ budgets: [budget({ limit: 10_000 })] });
    const { levels, y } = scene(SEEN, far);
    expect(y.domain()[1]).toBe(1000);
    expect(levels).toMatchObject([{ kind: "limit", y: null, words: { text: "limit $10,000.00 ↑" } }, { kind: "threshold" }]);
  });

  it("shows little that is left as little: below its limit, or at least below the threshold", () => {
    const little = (usd: number) => scene(null, balance({ spendable: usd, budgets: [budget({ remaining: usd })] })).y.domain()[1];
    expect(little(40)).toBe(500);
    expect(little(10)).toBe(50);
  });

  it("draws what was overspent as nothing left, above the bars", () => {
    const overspent = history({ points: [point("2026-02-09T00:00:00", -2), point("2026-02-12T16:00:00", -5)] });
    const credit: Partial<Balance> = { budgets: [], limitedBy: "account_credit", spendable: -5, level: "exhausted" };
    const { dot, y, frame, ticks, stretches } = scene(overspent, balance({ ...credit, totalLimit: null, pace: null }));
    expect(ticks[0]).toEqual({ y: frame.above.bottom, label: "$0.00" });
    expect(y(-5)).toBe(frame.above.bottom);
    expect(dot?.y).toBe(frame.above.bottom);
    expect(stretches).toHaveLength(1);
  });

  it("has a forecast in red only where it runs out early", () => {
    const lifetime = budget({ resetPeriod: null, resetsAt: null, runsOutAt: "2026-04-14T09:51:00Z" });
    const late = pace({ runsOutAt: "2026-04-14T09:51:00Z", runsOutEarliest: null, runsOutLatest: null });
    const early = budget({ runsOutAt: pace().runsOutAt });
    expect(scene(SEEN, balance({ budgets: [early], pace: pace() })).forecast?.isEarly).toBe(true);
    expect(scene(SEEN, balance({ budgets: [lifetime], pace: late })).forecast?.isEarly).toBe(false);
  });

  it("draws a dollar threshold, and none for a duration", () => {
    const { levels } = scene(SEEN, balance({ thresholds: ["$100", "2d"] }));
    expect(levels.map((level) => level.words?.text)).toEqual(["limit $500.00", "low: $100"]);
  });

  it("breaks the line at the reset and at times without polls", () => {
    const { stretches, gaps, resets, x } = scene();
    expect(stretches).toHaveLength(3);
    expect(gaps).toEqual([{ x: x(Date.parse("2026-02-05T10:00:00Z")), width: expect.closeTo(x(31 * 3_600_000) - x(0), 3) }]);
    expect(resets).toEqual([x(Date.parse("2026-02-01T00:00:00Z")), x(Date.parse("2026-03-01T00:00:00Z"))]);
  });

  it("goes on to the newest balance", () => {
    const { dot, x, y } = scene();
    expect(dot).toMatchObject({ x: x(NOW), y: y(158.61), words: { text: "$158.61" } });
  });

  it("has bars at their time and as high as what was spent", () => {
    const { bars, x, frame } = scene();
    const [four, two] = bars;
    expect(four?.x).toBeGreaterThanOrEqual(x(Date.parse("2026-02-09T00:00:00Z")));
    expect((four?.x ?? 0) + (four?.width ?? 0)).toBeLessThanOrEqual(x(Date.parse("2026-02-10T00:00:00Z")));
    expect((two?.height ?? 0) / (four?.height ?? 1)).toBeCloseTo(0.5);
    expect((four?.y ?? 0) + (four?.height ?? 0)).toBeCloseTo(frame.below.bottom);
    expect(bars.map((bar) => bar.isEstimated)).toEqual([false, true]);
  });

  it("keeps bars visible however many there are", () => {
    const hours = Array.from({ length: 800 }, (_, index) => {
      const from = new Date(NOW - (800 - index) * 3_600_000).toISOString().slice(0, -1);
      return spend(from, new Date(NOW - (799 - index) * 3_600_000).toISOString().slice(0, -1), 1);
    });
    for (const bar of scene(history({ spend: hours }), balance(), { ...SIZE, width: 320 }).bars) {
      expect(bar.width).toBeGreaterThanOrEqual(1);
    }
  });

  it("gives its room to the bars where nothing limited the key", () => {
    const { hasLine, stretches, frame, dot, bars } = scene(
      { ...SEEN, points: SEEN.points.map((one) => ({ ...one, spendable: null })) },
      unlimited(),
    );
    expect([hasLine, stretches, dot]).toEqual([false, [], null]);
    expect(frame.below.bottom - frame.below.top).toBeGreaterThan(SIZE.height / 2);
    expect(bars).toHaveLength(2);
  });

  it("has axes without any history, and since when it was watched where that is within the range", () => {
    const empty = scene(null);
    expect(empty.times.length).toBeGreaterThan(1);
    expect(empty.dot).not.toBeNull();
    expect(empty.since).toBeNull();
    expect(empty.spendTicks.map((tick) => tick.label)).toEqual(["$0"]);
    expect(scene().since?.text).toBe("since 20 Jan");
    expect(scene(history({ points: [point("2026-02-09T12:00:00", 1)] })).since?.text).toBe("watched since 9 Feb");
    expect(scene(history({ points: [point("2026-01-13T16:40:00", 1)] })).since).toBeNull();
    const young = history({ points: [point("2026-02-12T16:30:00", 158.61)] });
    expect(scene(young).since?.text).toBe("watched since 12 Feb; the line grows from here");
    const half = balance({ spendable: 250, budgets: [budget({ remaining: 250, resetsAt: "2026-02-13T00:00:00Z" })] });
    const { since, dot } = scene(young, half, { width: 300, height: 350, em: 12 });
    expect(dot?.words?.anchor).toBe("end");
    expect(Math.abs((since?.y ?? 0) - (dot?.words?.y ?? 0))).toBeGreaterThan(15);
  });

  it("puts the time without money on the zero line, as far as the axis goes", () => {
    const { band, x, frame } = scene();
    expect(band?.x).toBeCloseTo(x(Date.parse("2026-02-14T09:51:00Z")));
    expect((band?.x ?? 0) + (band?.width ?? 0)).toBeCloseTo(frame.right);
    expect(band?.label?.text).toBe("empty for 15 days");
    expect(scene(SEEN, balance({ pace: pace() }), { width: 300, height: 300, em: 20 }).band?.label).toBeNull();
  });

  it.each([
    [1200, 12],
    [700, 12],
    [320, 12],
    [320, 21],
    [260, 21],
  ])("has words that cover no others, %i px wide with a font of %i px", (width, em) => {
    for (const range of ["24h", "7d", "30d", "period", "all"] as const) {
      const { times, headings, levels, dot, frame } = sceneOf(
        // Two thresholds close to each other.
        { history: SEEN, range, balance: balance({ pace: pace(), thresholds: ["60%", "57%"] }), now: NOW },
        { width, height: 27 * em, em },
      );
      for (const row of [times, headings]) {
        const inOrder = row.toSorted((one, other) => one.x - other.x);
        inOrder.forEach(({ x, text }, index) => {
          const next = inOrder[index + 1];
          const half = textWidth(text, em) / 2;
          expect(x - half).toBeGreaterThanOrEqual(0);
          expect(x + half).toBeLessThanOrEqual(width);
          if (next !== undefined) expect(x + half).toBeLessThan(next.x - textWidth(next.text, em) / 2);
        });
      }
      const inside = [...levels.map((level) => level.words), dot?.words ?? null].filter((words) => words !== null);
      const boxes = inside.map(({ x, y, text, anchor }) => {
        const left = anchor === "start" ? x : x - textWidth(text, em);
        return { left, right: left + textWidth(text, em), top: y - 0.9 * em, bottom: y + 0.2 * em };
      });
      boxes.forEach((one, index) => {
        expect(one.left).toBeGreaterThanOrEqual(frame.left - 1);
        expect(one.right).toBeLessThanOrEqual(frame.right + 1);
        for (const other of boxes.slice(index + 1)) {
          expect(one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom).toBe(false);
        }
      });
    }
  });
});

describe("the sentence", () => {
  const say = (seen: HistoryDocument | null, of: Balance = balance(), isOld = false, range: "30d" | "24h" = "30d") =>
    sentence(seen, of, spanOf(range, seen, of, NOW), isOld);
  const falling = history({ points: [point("2026-02-09T12:00:00", 500), point("2026-02-12T16:00:00", 160)] });

  it("says from what to what, and what comes", () => {
    expect(say(falling, balance({ pace: pace() }))).toBe(
      "Left fell from $500.00 on 9 February to $158.61 now; it is forecast to run out on 14 February.",
    );
    const soon = "2026-02-12T20:00:00.000Z";
    expect(say(falling, balance({ pace: pace({ runsOutAt: soon }) }))).toMatch(/; it is forecast to run out at 21:00\.$/);
    expect(say(falling, balance({ pace: pace({ isUpperBound: true }) }))).toMatch(/run out on 14 February at the latest\.$/);
    const lasts = pace({ runsOutAt: null, runsOutEarliest: null, runsOutLatest: null, projectedAtReset: 400 });
    expect(say(falling, balance({ pace: lasts }))).toMatch(/; it is forecast to last until the reset on 1 March\.$/);
    expect(say(falling)).toBe("Left fell from $500.00 on 9 February to $158.61 now.");
  });

  it("says the time where the chart shows hours", () => {
    const today = history({ points: [point("2026-02-11T20:00:00", 90), point("2026-02-12T10:00:00", 100)] });
    expect(say(today, balance({ pace: pace() }), false, "24h")).toBe(
      "Left rose from $90.00 at 21:00 on 11 February to $158.61 now; it is forecast to run out at 10:51 on 14 February.",
    );
  });

  it("says that it stayed, and which resets were between", () => {
    const still = history({ points: [point("2026-02-09T12:00:00", 158.61)] });
    expect(say(still)).toBe("Left stayed at $158.61 from 9 February to now.");
    expect(say(SEEN)).toBe("Left fell from $210.00 on 20 January to $158.61 now, with a reset on 1 February.");
    const twice = { ...SEEN, resets: [...SEEN.resets, { at: "2026-02-08T00:00:00Z", scope: "key_limit", period: "weekly" }] };
    expect(say(twice)).toMatch(/, with 2 resets, the last on 8 February\.$/);
    const later = [{ at: "2026-02-10T00:00:00Z", scope: "key_limit", period: "daily" }];
    expect(say({ ...still, resets: later })).toBe("Left was $158.61 on 9 February and is $158.61 now, with a reset on 10 February.");
  });

  it("says that requests are refused", () => {
    const out = balance({ level: "exhausted", spendable: 0, refusedUntil: "2026-03-01T00:00:00.000Z" });
    expect(say(falling, out)).toBe("Left fell from $500.00 on 9 February to $0.00 now; requests are refused until 1 March.");
    expect(say(falling, { ...out, refusedUntil: null })).toMatch(/; requests are refused\.$/);
  });

  it("says what was spent where nothing limited the key", () => {
    const free = { ...SEEN, points: SEEN.points.map((one) => ({ ...one, spendable: null })) };
    expect(say(free, unlimited())).toBe("Nothing limited the key in this time, and ~$6.00 was spent.");
    expect(say(null, unlimited())).toBe("Nothing limited the key in this time.");
    expect(say(falling, unlimited())).toBe("Left was $500.00 on 9 February; nothing limits the key now.");
  });

  it("says only what is known now without a history", () => {
    expect(say(null)).toBe("Left is $158.61 now.");
    expect(say(history({ points: [point("2026-02-12T16:39:00", 158.61)] }))).toBe("Left is $158.61 now.");
    expect(say(history({ points: [point("2026-02-12T16:39:00", 160)] }))).toMatch(/^Left fell from \$160\.00 on 12 February/);
  });

  it("does not say now, and nothing of what comes, of old numbers", () => {
    expect(say(falling, balance({ pace: pace() }), true)).toBe("Left fell from $500.00 on 9 February to $158.61 on 12 February.");
  });
});
