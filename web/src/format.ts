// Dollars, percentages, durations, instants and scopes as a person reads them: the same words and digits as the
// terminal's table.

import type { Budget } from "./generated";
import { ACCOUNT_CREDIT, KEY_LIMIT } from "./scopes";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Days from which on hours are left out in a column. */
const DAYS_ALONE = 10;

// Halves round to even, as in the terminal: otherwise the two would differ by a cent at times.
const CENTS = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
  roundingMode: "halfEven",
});
const TENTHS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const TWO_DIGITS = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2, roundingMode: "halfEven" });

// Made once: a table has hundreds of times, and to make a format takes longer than to use it.
const WEEKDAY = new Intl.DateTimeFormat("en-US", { weekday: "short" });
const MONTH = new Intl.DateTimeFormat("en-US", { month: "short" });
const LONG_MONTH = new Intl.DateTimeFormat("en-US", { month: "long" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const ZONE = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

/** Shown where nothing is known: never $0. */
export const NOT_KNOWN = "–";

/** `$1,234.50`, `-$0.25`, and `$0.0018` where cents would hide the amount: two significant digits below a cent. */
export function usd(amount: number | null | undefined): string {
  if (amount === null || amount === undefined || !Number.isFinite(amount)) return NOT_KNOWN;
  const size = Math.abs(amount);
  const sign = amount < 0 ? "-" : "";
  return `${sign}$${(size === 0 || size >= 0.01 ? CENTS : TWO_DIGITS).format(size)}`;
}

/** Dollars on an axis: as many decimals as the ticks are apart. */
export function usdTick(amount: number, step: number): string {
  const decimals = step >= 1 ? 0 : Math.min(Math.max(Math.ceil(-Math.log10(step)), 2), 8);
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return `${amount < 0 ? "-" : ""}$${Math.abs(amount).toLocaleString("en-US", digits)}`;
}

/** One decimal; `<0.1%` for a remainder that one decimal would show as 0. */
export function percent(percentRemaining: number | null, remaining: number | null): string {
  if (percentRemaining === null) return NOT_KNOWN;
  if (percentRemaining === 0 && remaining !== null && remaining > 0) return "<0.1%";
  return `${TENTHS.format(percentRemaining)}%`;
}

/** How long something takes: `16 d 7 h`, `3 h 5 min`, `12 min`; below two minutes with seconds: `1 min 22 s`. */
export function duration(length: number): string {
  const milliseconds = Math.max(length, 0);
  const days = Math.floor(milliseconds / DAY);
  const hours = Math.floor((milliseconds % DAY) / HOUR);
  const minutes = Math.floor((milliseconds % HOUR) / MINUTE);
  if (days > 0) return hours > 0 ? `${count(days)} d ${hours} h` : `${count(days)} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  const seconds = Math.floor(milliseconds / SECOND) - minutes * 60;
  if (minutes > 1 || (minutes === 1 && seconds === 0)) return `${minutes} min`;
  return minutes === 1 ? `1 min ${seconds} s` : `${seconds} s`;
}

/** `in 16 d 7 h`; "due now" for a reset in the past, of old numbers. */
export function until(instant: string, now: number): string {
  const left = Date.parse(instant) - now;
  return left > 0 ? `in ${duration(left)}` : "due now";
}

/** `in 1 d 17 h`; "about now" for a forecast of what is past. */
export function runOutIn(instant: string, now: number): string {
  const left = Date.parse(instant) - now;
  return left > 0 ? `in ${duration(left)}` : "about now";
}

/** A duration in few characters: whole days from ten days on. */
export function shortly(length: number): string {
  return length >= DAYS_ALONE * DAY ? `${count(Math.floor(length / DAY))} d` : duration(length);
}

/** An age in a sentence: `12 seconds`, `3 minutes`, `2 hours`, `5 days`. */
export function ageInWords(milliseconds: number): string {
  const [size, unit] =
    milliseconds < MINUTE
      ? [SECOND, "second"]
      : milliseconds < HOUR
        ? [MINUTE, "minute"]
        : milliseconds < 2 * DAY
          ? [HOUR, "hour"]
          : [DAY, "day"];
  const number = Math.floor(milliseconds / (size as number));
  return `${count(number)} ${unit}${number === 1 ? "" : "s"}`;
}

/** An age beside a clock, in steps of five seconds at first: it need not change every second. */
export function ago(milliseconds: number): string {
  if (milliseconds < 5 * SECOND) return "just now";
  if (milliseconds < MINUTE) return `${Math.floor(milliseconds / (5 * SECOND)) * 5} s ago`;
  return `${duration(Math.floor(milliseconds / MINUTE) * MINUTE)} ago`;
}

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0, roundingMode: "halfEven" });

/** `1,000` */
export function count(number: number): string {
  return WHOLE.format(number);
}

/** `Sun 1 Mar, 01:00 CET`, with the year where it is not this one; the year 9999, which stands for never, is shown as a date. */
export function instant(iso: string, now: number): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return `${weekday(iso, now)}, ${clock(date, false)} ${zone(date)}`;
}

/** Within a day the time alone, `01:00`; else `1 March`, with the year where it is not this one. */
export function near(iso: string, now: number): string {
  const date = new Date(iso);
  return Math.abs(date.getTime() - now) < DAY ? clock(date, false) : dayAndMonth(date, now, "long");
}

/** `today, 23:00` or `tomorrow, 01:00`; null for any other day. */
export function closeDay(iso: string, now: number): string | null {
  const date = new Date(iso);
  const today = new Date(now);
  const tomorrow = new Date(today.getFullYear(), today.getMonth(), today.getDate() + 1);
  if (date.toDateString() === today.toDateString()) return `today, ${clock(date, false)}`;
  return date.toDateString() === tomorrow.toDateString() ? `tomorrow, ${clock(date, false)}` : null;
}

/** `Sat 14 Feb`, with the year where it is not this one. */
export function weekday(iso: string, now: number): string {
  const date = new Date(iso);
  return `${WEEKDAY.format(date)} ${dayAndMonth(date, now, "short")}`;
}

function dayAndMonth(date: Date, now: number, month: "long" | "short"): string {
  const year = date.getFullYear() === new Date(now).getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${date.getDate()} ${(month === "long" ? LONG_MONTH : MONTH).format(date)}${year}`;
}

/** `14:02:11`, with its day before it when that is not today's. */
export function timeOfDay(iso: string, now: number): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const isToday = date.toDateString() === new Date(now).toDateString();
  const day = isToday ? "" : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, `;
  return day + clock(date, true);
}

/** `14:02`, or with seconds. */
export function clock(date: Date, hasSeconds: boolean): string {
  return (hasSeconds ? SECONDS : CLOCK).format(date);
}

/** The zone's short name at that instant: `CET`, `UTC`, `GMT+5:30`. */
export function zone(date: Date): string {
  return ZONE.formatToParts(date).find((part) => part.type === "timeZoneName")?.value ?? "local time";
}

/** The browser's time zone by name: `Europe/Berlin`. */
export function zoneName(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
}

const SCOPES: Record<string, string> = {
  [KEY_LIMIT]: "key limit",
  [ACCOUNT_CREDIT]: "account's credit",
  workspace: "workspace budget",
  api_key: "API key budget",
  member: "member budget",
  workspace_default_key: "key default",
  workspace_default_member: "member default",
};

const LONGEST_SCOPE = 24;

/** Names a budget; an unknown scope by OpenRouter's own word. */
export function scopeInWords(scope: string): string {
  return Object.hasOwn(SCOPES, scope) ? (SCOPES[scope] ?? scope) : shortened(inWords(scope));
}

/** OpenRouter's word, underscores as spaces. */
export function inWords(word: string): string {
  return word.replaceAll("_", " ");
}

/** A profile's name, or what stands in its place. */
export function named(profile: string): string {
  return profile === "" ? "from the environment" : profile;
}

/** `Workspace budget` */
export function capitalized(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A sentence's text without its full stop, to be continued. */
export function openEnded(sentence: string): string {
  return sentence.trim().replace(/\.+$/, "");
}

function shortened(words: string): string {
  const characters = Array.from(words);
  return characters.length <= LONGEST_SCOPE ? words : `${characters.slice(0, LONGEST_SCOPE - 3).join("")}...`;
}

/** When a budget resets: `monthly, in 16 d 7 h · Sun 1 Mar, 01:00 CET`. */
export function resets(budget: Pick<Budget, "resetPeriod" | "resetsAt">, now: number): string {
  const shortly = resetsShortly(budget, now);
  return budget.resetsAt === null ? shortly : `${shortly} · ${instant(budget.resetsAt, now)}`;
}

/** `monthly, in 16 d 7 h` */
export function resetsShortly(budget: Pick<Budget, "resetPeriod" | "resetsAt">, now: number): string {
  const period = budget.resetPeriod === null ? null : inWords(budget.resetPeriod);
  if (budget.resetsAt === null) return period === null ? "never" : `${period} (when is not known)`;
  const wait = until(budget.resetsAt, now);
  return period ? `${period}, ${wait}` : wait;
}
