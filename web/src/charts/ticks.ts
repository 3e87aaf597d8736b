// Where a time axis is marked: at whole hours, days or months of the reader's own time zone.

import { clock } from "../format";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Step {
  /** Roughly, to choose by. */
  size: number;
  floor(date: Date): void;
  next(date: Date): void;
}

const minutes = (number: number): Step => ({
  size: number * MINUTE,
  floor: (date) => date.setMinutes(Math.floor(date.getMinutes() / number) * number, 0, 0),
  next: (date) => date.setTime(date.getTime() + number * MINUTE),
});
const hours = (number: number): Step => ({
  size: number * HOUR,
  floor: (date) => date.setHours(Math.floor(date.getHours() / number) * number, 0, 0, 0),
  // By the wall clock, so that marks stay at noon and midnight when summer time begins.
  next: (date) => date.setHours(date.getHours() + number),
});
const days = (number: number): Step => ({
  size: number * DAY,
  floor: (date) => date.setHours(0, 0, 0, 0),
  next: (date) => date.setDate(date.getDate() + number),
});
const months = (number: number): Step => ({
  size: number * 30.4 * DAY,
  floor: (date) => {
    date.setHours(0, 0, 0, 0);
    date.setMonth(Math.floor(date.getMonth() / number) * number, 1);
  },
  next: (date) => date.setMonth(date.getMonth() + number, 1),
});

const STEPS = [
  ...[1, 5, 15, 30].map(minutes),
  ...[1, 2, 3, 6, 12].map(hours),
  ...[1, 2, 5, 10].map(days),
  ...[1, 2, 3, 6, 12, 24, 60].map(months),
];

/** At most `most` marks between two instants (milliseconds), and what is written at each. */
export function timeTicks(from: number, to: number, most: number): { at: number; label: string }[] {
  const last = STEPS.at(-1) as Step;
  const step = STEPS.find((one) => (to - from) / one.size <= most - 1) ?? last;
  const date = new Date(from);
  step.floor(date);
  const marks: { at: number; label: string }[] = [];
  for (let turn = 0; date.getTime() <= to && turn < 100; turn += 1, step.next(date)) {
    if (date.getTime() >= from) marks.push({ at: date.getTime(), label: label(date, step.size) });
  }
  return marks;
}

function label(date: Date, size: number): string {
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  if (size < DAY && !isMidnight) return clock(date, false);
  if (size < 28 * DAY) return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  if (size < 360 * DAY) return date.toLocaleDateString("en-GB", { month: "short", year: "2-digit" });
  return String(date.getFullYear());
}
