// Everything that the chart draws, as pixels and words, from the history and the newest balance. Pure, and computed once
// for every history, balance and size.

import { max } from "d3-array";
import { scaleLinear, type ScaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import { clock, usd } from "../format";
import type { Balance, HistoryDocument, SpendInterval } from "../generated";
import { ACCOUNT_CREDIT } from "../scopes";
import { limitingBudget, untilCell } from "../words";
import { type Tick, ticksOf, timesOf } from "./axes";
import { bandOf, forecastOf } from "./forecast";
import { type Frame, frameOf, type Size } from "./frame";
import { type Box, fitting, freeBox, type Label, type Point, textWidth } from "./labels";
import { gapsOf, knownSince, type Left, resetsOf, samplesOf, stretchesOf } from "./lines";
import { clamp, dayOf, HOUR, instantOf, type Range, type Span, spanOf } from "./range";

export interface Input {
  history: HistoryDocument | null;
  range: Range;
  balance: Balance;
  /** Milliseconds, in the document's time. */
  now: number;
}

export interface Bar extends Point {
  width: number;
  height: number;
  isEstimated: boolean;
}

/** Words, by one end of their base line. */
export interface Words extends Point {
  text: string;
  anchor: "start" | "end";
}

/** A place for words, from which of its ends they begin. */
interface Place extends Box {
  anchor: Words["anchor"];
}

/** A horizontal line with words. */
export interface Level {
  kind: "limit" | "threshold";
  /** Null where it is above what is shown. */
  y: number | null;
  words: Words | null;
}

export interface Scene {
  frame: Frame;
  span: Span;
  x: ScaleLinear<number, number>;
  /** Of what was left, within what is shown; and of what was spent. */
  y: ScaleLinear<number, number>;
  ticks: Tick[];
  spendTicks: Tick[];
  times: Label[];
  /** Above the chart. */
  headings: Label[];
  stretches: { line: string; area: string }[];
  bars: Bar[];
  gaps: { x: number; width: number }[];
  resets: number[];
  now: number;
  dot: (Point & { words: Words | null }) | null;
  levels: Level[];
  /** `isEarly`: it runs out before a reset or soon, which is more than that nothing lasts for ever. */
  forecast: { line: string; cone: string | null; isEarly: boolean } | null;
  band: { x: number; width: number; label: Label | null } | null;
  /** "watched since", where the first sample is within the range. */
  since: Words | null;
  /** Whether something limited the key at some time that is shown. */
  hasLine: boolean;
}

/** More resets than this are drawn lighter, and only the last has its day. */
export const MANY_RESETS = 6;

/** How much wider than other words the amount is, which is larger and bold. */
const AMOUNT_SIZE = 1.2;

/** What is higher than this many times all points is not shown to scale. Below that little that is left must look little. */
const HIGHEST_LEVEL = 16;

export function sceneOf(input: Input, size: Size): Scene {
  const { history, range, balance, now } = input;
  const span = spanOf(range, history, balance, now);
  const gaps = gapsOf(history);
  const pastResets = resetsOf(history);
  const stretches = stretchesOf(samplesOf(history, balance), gaps, pastResets);
  const hasLine = stretches.length > 0;
  const limit = limitingBudget(balance)?.limit ?? null;
  const highest = Math.max(max(stretches, (stretch) => max(stretch, (one) => one.usd)) ?? 0, 0);
  const lows = thresholds(balance, limit);
  const wanted = [limit ?? 0, ...lows.map(([amount]) => amount)];
  const top = Math.max(highest, ...wanted.filter((amount) => highest === 0 || amount <= HIGHEST_LEVEL * highest)) || 1;
  const spent = history?.spend ?? [];
  const dearest = Math.max(max(spent, (one) => one.usd) ?? 0, 0) || 1;

  const { em } = size;
  const narrow = size.width < 34 * em;
  const draft = frameOf(size, 0, hasLine);
  const rows = (height: number, each: number) => clamp(Math.round(height / (each * em)), 1, 5);
  const y = scaleLinear([0, top], [draft.above.bottom, draft.above.top]).nice(rows(draft.above.bottom - draft.above.top, 3.2));
  y.clamp(true); // overspent is drawn as nothing left: below the zero line are other things
  const spendRows = hasLine ? 2 : 4;
  const spendY = scaleLinear([0, dearest], [draft.below.bottom, draft.below.top]).nice(spendRows);
  const ticks = hasLine ? ticksOf(y, rows(draft.above.bottom - draft.above.top, 3.2)) : [];
  // With few rows only the outermost; without any spend no amount means anything but zero.
  const isFlat = !spent.some((one) => one.usd > 0);
  const spendTicks = isFlat
    ? [{ y: draft.below.bottom, label: "$0" }]
    : ticksOf(spendY, spendRows).filter((_, index, all) => !hasLine || index === 0 || index === all.length - 1);
  const gutter = (max([...ticks, ...spendTicks], (tick) => textWidth(tick.label, em)) ?? 0) + 0.7 * em;
  const frame = frameOf(size, gutter, hasLine);
  const x = scaleLinear([span.from, span.to], [frame.left, frame.right]);

  const toPixels = (points: Left[]): Point[] => points.map((one) => ({ x: x(one.at), y: y(one.usd) }));
  const lines = stretches.map(toPixels);
  const drawnLine = line<Point>((point) => point.x, (point) => point.y);
  const drawnArea = area<Point>((point) => point.x, y(0), (point) => point.y);

  const first = knownSince(history);
  const coming = forecastOf(balance);
  const forecastLine = coming === null ? null : toPixels(coming.line);
  const cone = coming?.cone == null ? null : toPixels(coming.cone);
  const nextReset = instantOf(limitingBudget(balance)?.resetsAt);
  const resets = [...pastResets, ...(nextReset !== null && nextReset > now ? [nextReset] : [])].filter(
    // Before the key was watched nothing is drawn.
    (at) => at >= Math.max(span.from, first ?? span.from) && at <= span.to,
  );

  const room = { left: frame.left, right: frame.right, top: frame.above.top - 0.3 * em, bottom: frame.above.bottom };
  const obstacles = [...lines, ...(forecastLine === null ? [] : [forecastLine]), ...(cone === null ? [] : edges(cone))];
  const taken: Box[] = [];
  const placed = (text: string, candidates: Place[], isAlways: boolean): Words | null => {
    const box = freeBox(candidates, room, taken, obstacles) ?? (isAlways ? freeBox(candidates, room, taken, []) : null);
    if (box === null) return null;
    taken.push(box);
    return { x: box.anchor === "start" ? box.left : box.right, y: box.bottom - 0.3 * em, text, anchor: box.anchor };
  };

  const newest = lines.at(-1)?.at(-1);
  const dot = newest === undefined || balance.spendable === null ? null : { ...newest, words: null as Words | null };
  if (dot !== null) dot.words = placed(usd(balance.spendable), aroundDot(dot, textWidth(usd(balance.spendable), AMOUNT_SIZE * em), em), true);

  const levels: Level[] = [];
  const highestShown = y.domain()[1] ?? 0;
  const addLevel = (kind: Level["kind"], amount: number, short: string, text: string) => {
    const height = y(amount);
    if (!hasLine || height > frame.above.bottom - 4) return; // one with the zero line
    const isHigher = amount > highestShown;
    const said = isHigher ? [`${text} ↑`] : [text, short];
    const at = (words: string) => besideLine(frame, isHigher ? null : height, textWidth(words, em));
    const free = said.reduce<Words | null>((found, words) => found ?? placed(words, at(words), false), null);
    levels.push({ kind, y: isHigher ? null : height, words: free ?? placed(said.at(-1) ?? "", at(said.at(-1) ?? ""), true) });
  };
  if (limit !== null) addLevel("limit", limit, "limit", `limit ${usd(limit)}`);
  for (const [amount, text] of lows) {
    if (amount <= highestShown) addLevel("threshold", amount, "low", `low: ${text}`);
  }

  const isSinceShown = first !== null && x(first) - frame.left > 2 * em;
  const isHourly = span.to - span.from <= 48 * HOUR;
  const nowLabel = { x: x(now), text: "now" };
  const left = hasLine ? "Left" : "Spent a day (UTC)";
  const caption = [{ x: textWidth(left, em) / 2, text: left }];
  const resetLabels = resets
    .toReversed()
    .slice(0, resets.length > MANY_RESETS ? 1 : MANY_RESETS)
    .map((at) => ({ x: x(at), text: `reset ${isHourly ? clock(new Date(at), false) : dayOf(new Date(at), "UTC")}` }));

  const count = clamp(Math.floor((frame.right - frame.left) / (em * (narrow ? 4 : 9))), 2, 7);
  return {
    frame,
    span,
    x,
    y,
    ticks,
    spendTicks,
    times: timesOf(span, x, count, em, size.width),
    headings: fitting([nowLabel, ...resetLabels], em, frame.left, frame.right, caption),
    stretches: lines.map((points) => ({ line: drawnLine(points) ?? "", area: drawnArea(points) ?? "" })),
    bars: spent.map((one) => barOf(x(Date.parse(one.from)), x(endOf(one, now)), spendY(one.usd), frame, one.estimated)),
    gaps: gaps.flatMap((gap) => {
      const [from, to] = [Math.max(x(gap.from), frame.left), Math.min(x(gap.to), frame.right)];
      return to > from ? [{ x: from, width: Math.max(to - from, 2) }] : [];
    }),
    resets: resets.map((at) => x(at)),
    now: x(now),
    dot,
    levels,
    forecast:
      forecastLine === null || coming === null
        ? null
        : {
            line: drawnLine(forecastLine) ?? "",
            cone: cone === null ? null : `${drawnLine(cone) ?? ""}Z`,
            isEarly: coming.isRunOut && untilCell(balance, null, now).tone !== "plain",
          },
    band: hasLine ? strip(bandOf(balance, now), x, frame) : null,
    since: first !== null && isSinceShown ? sinceWords(first, x(first), frame, isHourly, now, taken) : null,
    hasLine,
  };
}

/** The interval that goes on ends now. */
function endOf(one: SpendInterval, now: number): number {
  const [from, to] = [Date.parse(one.from), Date.parse(one.to)];
  return from < now && now < to ? now : to;
}

function barOf(from: number, to: number, top: number, frame: Frame, isEstimated: boolean): Bar {
  const gap = Math.min((to - from) * 0.2, 3);
  const width = Math.max(to - from - gap, 1);
  const height = frame.below.bottom - top;
  return { x: from + gap / 2, y: top, width, height: Math.max(height, 0), isEstimated };
}

/** The threshold that is in force for the credit unless others are given: `orcredit.balance.threshold`. */
const CREDIT_DEFAULT = "$1";

/** The amounts at which the level becomes low, and how they were given; a duration has none. */
function thresholds(balance: Balance, limit: number | null): [number, string][] {
  return balance.thresholds.flatMap((text): [number, string][] => {
    const number = Number.parseFloat(text.replace(/^\$/, "").replaceAll(",", ""));
    if (Number.isNaN(number)) return [];
    if (text.endsWith("%")) return limit === null ? [] : [[(limit * number) / 100, text]];
    // The default of $1 is the credit's alone.
    const isInForce = text !== CREDIT_DEFAULT || balance.limitedBy === ACCOUNT_CREDIT;
    return text.startsWith("$") && isInForce ? [[number, text]] : [];
  });
}

function aroundDot({ x, y }: Point, width: number, em: number): Place[] {
  const [high, low, gap, height] = [y - 0.45 * em, y + 0.45 * em, 0.8 * em, 1.25 * em];
  const box = (left: number, top: number): Place => ({
    left,
    right: left + width,
    top,
    bottom: top + height,
    anchor: left < x - gap ? "end" : "start",
  });
  return [
    box(x + gap, high - height + 0.2 * em),
    box(x + gap, y - height / 2),
    box(x - gap - width, low),
    box(x - gap - width, high - height),
    box(x + gap, low),
    box(x - width / 2, high - height - 0.3 * em),
    box(x - gap - width, y - 2.5 * height),
    box(x + gap, y - 2.5 * height),
    box(x - gap - width, y + 1.5 * height),
  ];
}

/** Above or below a horizontal line, or of one that is higher than the chart at its top; if possible at the right end. */
function besideLine(frame: Frame, y: number | null, width: number): Place[] {
  const { em, above } = frame;
  const tops = y === null ? [above.top] : [y - 1.3 * em, y + 0.15 * em];
  return ends(frame, width).flatMap((end) => tops.map((top) => ({ ...end, top, bottom: top + 1.25 * em })));
}

function ends({ left, right, em }: Frame, width: number): Pick<Place, "left" | "right" | "anchor">[] {
  const gap = 0.4 * em;
  return [
    { left: right - gap - width, right: right - gap, anchor: "end" },
    { left: left + gap, right: left + gap + width, anchor: "start" },
    { left: (left + right - width) / 2, right: (left + right + width) / 2, anchor: "start" },
  ];
}

/** The lines around a polygon, each from left to right. */
function edges(polygon: Point[]): Point[][] {
  return polygon.map((point, index) => {
    const next = polygon[(index + 1) % polygon.length] as Point;
    return point.x <= next.x ? [point, next] : [next, point];
  });
}

function strip(band: ReturnType<typeof bandOf>, x: ScaleLinear<number, number>, frame: Frame): Scene["band"] {
  if (band === null) return null;
  const from = clamp(x(band.from), frame.left, frame.right);
  const to = clamp(band.to === null ? frame.right : x(band.to), frame.left, frame.right);
  if (to - from < 1) return null;
  const text = band.words.find((words) => textWidth(words, frame.em) < to - from - 0.6 * frame.em);
  return { x: from, width: to - from, label: text === undefined ? null : { x: (from + to) / 2, text } };
}

/** In the middle of the height, unless other words are there. */
function sinceWords(first: number, x: number, frame: Frame, isHourly: boolean, now: number, taken: Box[]): Words | null {
  const date = new Date(first);
  const when = isHourly ? clock(date, false) : dayOf(date, undefined);
  const { em, above, below, left } = frame;
  const part = above.bottom - above.top > em ? above : below;
  const right = x - 0.6 * em;
  const room = { left: left + 0.2 * em, right, top: part.top, bottom: part.bottom };
  // Who sees axes alone is told that this is as it should be.
  const young = now - first < HOUR ? [`watched since ${when}; the line grows from here`] : [];
  for (const text of [...young, `watched since ${when}`, `since ${when}`]) {
    const places = [0.5, 0.25, 0.75].map((height): Place => {
      const bottom = part.top + height * (part.bottom - part.top) + 0.65 * em;
      return { left: right - textWidth(text, em), right, top: bottom - 1.25 * em, bottom, anchor: "end" };
    });
    const box = freeBox(places, room, taken, []);
    if (box !== null) return { x: right, y: box.bottom - 0.3 * em, text, anchor: "end" };
  }
  return null;
}
