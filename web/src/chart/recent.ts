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

/** Where OpenRouter counts more by the calendar than was seen; nothing twice, and no full stop. */
export function unseen(recent: Recent): string[] {
  let missed = 0;
  const sentences: string[] = [];
  const periods = [
    ["today", recent.today],
    ["this week", recent.thisWeek],
    ["this month", recent.thisMonth],
  ] as const;
  for (const [when, period] of periods) {
    if (period !== null && period.counted - period.seen >= missed + CENT) {
      missed = period.counted - period.seen;
      sentences.push(`OpenRouter counts ${usd(period.counted)} ${when}, of which ${usd(period.seen)} was seen`);
    }
  }
  return sentences;
}
