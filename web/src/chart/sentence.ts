// The chart in one sentence, for those who cannot see it.

import { clock, usd } from "../format";
import type { Balance, HistoryDocument } from "../generated";
import { bandOf, forecastOf } from "./forecast";
import { amountOfAll } from "./intervals";
import { DAY, firstSample, HOUR, instantOf, type Span } from "./range";
import { resetsOf, samplesOf } from "./lines";

/** `isOld`: the balance may have changed since; then nothing is said of now and of what comes. */
export function sentence(history: HistoryDocument | null, balance: Balance, span: Span, isOld: boolean): string {
  const isHourly = span.to - span.from <= 48 * HOUR;
  const now = Date.parse(balance.fetchedAt);
  const parts = [past(history, balance, (at) => dateInWords(at, now, isHourly), isOld)];
  // What comes within a day is said with its time.
  const next = isOld ? null : coming(balance, (at) => dateInWords(at, now, isHourly || at - now < DAY));
  if (next !== null) parts.push(next);
  return `${parts.join("; ")}.`;
}

function past(history: HistoryDocument | null, balance: Balance, when: (at: number) => string, isOld: boolean): string {
  const samples = samplesOf(history, balance);
  const last = samples.at(-1);
  const known = samples.filter((sample) => sample.usd !== null);
  const first = known[0];
  if (last === undefined || first === undefined || first.usd === null) {
    const spent = history?.spend.length ? `, and ${amountOfAll(history.spend)} was spent` : "";
    return `Nothing limited the key in this time${spent}`;
  }
  if (last.usd === null) return `Left was ${usd(first.usd)} ${when(first.at)}; nothing limits the key now`;
  const now = isOld ? when(last.at) : "now";
  const isJustBegun = last.at - first.at < HOUR && usd(first.usd) === usd(last.usd);
  if (firstSample(history) === null || isJustBegun) return `Left is ${usd(last.usd)} ${now}`;
  const resets = resetsOf(history).filter((at) => at > first.at && at <= last.at);
  const latest = resets.at(-1);
  const change = changed(usd(first.usd), usd(last.usd), last.usd < first.usd, when(first.at), now, latest !== undefined);
  if (latest === undefined) return change;
  return `${change}, with ${resets.length === 1 ? "a reset" : `${resets.length} resets, the last`} ${when(latest)}`;
}

function changed(first: string, last: string, isLess: boolean, then: string, now: string, isReset: boolean): string {
  if (first !== last) return `Left ${isLess ? "fell" : "rose"} from ${first} ${then} to ${last} ${now}`;
  // With a reset between it did not stay.
  if (isReset) return `Left was ${first} ${then} and ${now === "now" ? "is" : "was"} ${last} ${now}`;
  return `Left stayed at ${last} from ${bare(then)} to ${bare(now)}`;
}

function coming(balance: Balance, when: (at: number) => string): string | null {
  const { pace, level } = balance;
  if (level === "exhausted") {
    const until = bandOf(balance, Date.parse(balance.fetchedAt))?.to ?? null;
    return until === null ? "requests are refused" : `requests are refused until ${bare(when(until))}`;
  }
  if (pace === null || forecastOf(balance) === null) return null;
  const runsOutAt = instantOf(pace.runsOutAt);
  if (runsOutAt !== null) {
    return `it is forecast to run out ${when(runsOutAt)}${pace.isUpperBound ? " at the latest" : ""}`;
  }
  return `it is forecast to last until the reset ${when(forecastOf(balance)?.line[1].at ?? 0)}`;
}

function bare(when: string): string {
  return when.replace(/^(on|at) /, "");
}

/** `on 9 February`, `on 9 February 2025`; on a short axis `at 14:02`, `at 14:02 on 9 February`. */
function dateInWords(at: number, now: number, isHourly: boolean): string {
  const [date, today] = [new Date(at), new Date(now)];
  const isThisYear = date.getFullYear() === today.getFullYear();
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "long", ...(isThisYear ? {} : { year: "numeric" }) });
  if (!isHourly) return `on ${day}`;
  const time = `at ${clock(date, false)}`;
  return date.toDateString() === today.toDateString() ? time : `${time} on ${day}`;
}
