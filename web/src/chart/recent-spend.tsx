// One line: what was spent in the last hour, day and week, and what the account spends.

import { NOT_KNOWN, usd } from "../format";
import type { Recent } from "../generated";
import { spent, unseen } from "./recent";

export function RecentSpend({ recent, now }: { recent: Recent; now: number }) {
  const all: [string, string, string | null][] = [
    ["last hour", "hour", spent(recent.lastHour, recent.lastHourSince, recent.lastHourEstimated, now)],
    ["last 24 h", "day", spent(recent.lastDay, recent.lastDaySince, recent.lastDayEstimated, now)],
    ["last 7 d", "week", spent(recent.lastWeek, recent.lastWeekSince, recent.lastWeekEstimated, now)],
  ];
  // What has been watched for less than an hour is the same in all three.
  const isYoung = recent.lastHourSince !== null && recent.lastHourSince === recent.lastWeekSince;
  const spans = isYoung ? all.slice(2).map(([, span, words]) => ["watched", span, words] as const) : all;
  const missed = unseen(recent);
  return (
    <>
      <dl class="chart-recent">
        {spans.map(([label, span, words]) => (
          <div key={span}>
            <dt>{label}</dt>
            <dd data-testid={`recent-${span}`}>{words ?? NOT_KNOWN}</dd>
          </div>
        ))}
        {recent.accountPerDay !== null && (
          <div>
            <dt>account</dt>
            <dd data-testid="recent-account">{usd(recent.accountPerDay)} a day</dd>
          </div>
        )}
      </dl>
      {missed.length > 0 && <p data-testid="recent-unseen">{missed.join(". ")}.</p>}
    </>
  );
}
