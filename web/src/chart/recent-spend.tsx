// One line: what was spent in the last hour, day and week, and what the account spends.

import { NOT_KNOWN, usd } from "../format";
import type { Recent } from "../generated";
import { isYoung, spent, unseen } from "./recent";

export function RecentSpend({ recent, now }: { recent: Recent; now: number }) {
  const all: [string, string, string | null][] = [
    ["last hour", "hour", spent(recent.lastHour, recent.lastHourSince, recent.lastHourEstimated, now)],
    ["last 24 h", "day", spent(recent.lastDay, recent.lastDaySince, recent.lastDayEstimated, now)],
    ["last 7 d", "week", spent(recent.lastWeek, recent.lastWeekSince, recent.lastWeekEstimated, now)],
  ];
  const spans = isYoung(recent) ? all.slice(2).map(([, span, words]) => ["watched", span, words] as const) : all;
  const missed = unseen(recent);
  return (
    <>
      <dl class="chart-recent">
        {spans.map(([label, span, words]) => (
          <div key={span}>
            <dt>{label}</dt>
            <dd data-testid={`recent-${span}`}>
              <Amount words={words ?? NOT_KNOWN} />
            </dd>
          </div>
        ))}
        {recent.accountPerDay !== null && (
          <div>
            <dt>account</dt>
            <dd data-testid="recent-account">
              <strong>{usd(recent.accountPerDay)}</strong> a day
            </dd>
          </div>
        )}
      </dl>
      {missed !== null && <p data-testid="recent-unseen">{missed}</p>}
    </>
  );
}

/** The amount stands out from since when it is: `since Sun 1 Mar, 01:00 CET: $0.00`. */
function Amount({ words }: { words: string }) {
  const at = words.lastIndexOf(" ") + 1;
  return (
    <>
      {words.slice(0, at)}
      <strong>{words.slice(at)}</strong>
    </>
  );
}
