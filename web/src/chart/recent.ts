// What was spent lately: what was not watched is not zero.

import { instant, usd } from "../format";
import type { Recent } from "../generated";

/** `$0.42`, `since Sun 1 Mar, 01:00 CET: $0.00`; null where nothing was seen in that time. */
export function spent(amount: number | null, since: string | null, isEstimated: boolean, now: number): string | null {
  if (amount === null) return null;
  const text = `${isEstimated ? "~" : ""}${usd(amount)}`;
  return since === null ? text : `since ${instant(since, now)}: ${text}`;
}

const CENT = 0.01;

/** Whether the key has been watched for less than an hour: then the last hour, day and week are the same. */
export function isYoung(recent: Recent): boolean {
  return recent.lastHourSince !== null && recent.lastHourSince === recent.lastWeekSince;
}

/** What OpenRouter counts by the calendar beyond what was seen, nothing twice; null where that is nothing. */
export function unseen(recent: Recent): string | null {
  let missed = 0;
  const amounts: string[] = [];
  const periods = [
    ["today", recent.today],
    ["this week", recent.thisWeek],
    ["this month", recent.thisMonth],
  ] as const;
  for (const [when, period] of periods) {
    if (period !== null && period.counted - period.seen >= missed + CENT) {
      missed = period.counted - period.seen;
      amounts.push(`${usd(missed)} more ${when}`);
    }
  }
  return amounts.length === 0 ? null : `OpenRouter counts ${amounts.join(", ")} than was seen.`;
}
