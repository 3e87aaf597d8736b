// The history: what was left, what was spent in each interval, and what was spent recently.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { fetchHistory } from "../api";
import { LeftChart } from "../charts/left";
import { SpendChart } from "../charts/spend";
import { documentNow, type Held } from "../clock";
import { instant, NOT_KNOWN, usd } from "../format";
import type { HistoryDocument, Recent } from "../generated";
import { ChartFigure } from "./chart";
import { bars, isLine, marks, name, RANGES, type Range, total, unit } from "./intervals";
import { spent, unseen } from "./recent";
import { whyNot } from "./why-not";

/** Milliseconds between two requests: with every poll the charts would move, for little that is new. */
const PAUSE = 55_000;

const LOADING = "Loading…";

export function HistoryPanel({ held }: { held: Held }) {
  const [range, setRange] = useState<Range>("7d");
  const { history, note } = useHistory(range, held.balance.fetchedAt);
  const now = documentNow(held, Date.now());
  return (
    <>
      <div class="headline">
        <h2>History</h2>
        <div class="segments" role="group" aria-label="How far back">
          {RANGES.map(([value, label]) => (
            <button
              key={value}
              type="button"
              aria-pressed={range === value}
              data-testid={`range-${value}`}
              onClick={() => setRange(value)}
            >
              {label}
            </button>
          ))}
        </div>
      </div>
      {note !== null && (
        <p class={note === LOADING ? "soft room" : "soft"} data-testid="history-note">
          {note}
        </p>
      )}
      {history !== null && <Shown history={history} range={range} now={now} />}
    </>
  );
}

function Shown({ history, range, now }: { history: HistoryDocument; range: Range; now: number }) {
  const { points, spend, recent } = history;
  const line = useMemo(() => marks(points), [points]);
  const columns = useMemo(() => bars(spend, now), [spend]);
  if (points.length === 0 && spend.length === 0) {
    return (
      <>
        <p class="soft" data-testid="history-note">
          {recent.until !== null
            ? `There was no poll in that time; the last was on ${instant(recent.until, now)}.`
            : "No history of this key yet: it grows while orcredit runs."}
        </p>
        <RecentSpend recent={recent} now={now} />
      </>
    );
  }
  const first = points[0];
  const last = points.at(-1);
  const each = unit(spend);
  const isAnyEstimated = spend.some((one) => one.estimated);
  const sum = `${isAnyEstimated ? "~" : ""}${usd(total(spend))}`;
  const span = first === undefined || last === undefined ? "" : ` from ${instant(first.at, now)} to ${instant(last.at, now)}`;
  return (
    <>
      <RecentSpend recent={recent} now={now} />
      <div class="figures">
        {isLine(points) ? (
          <ChartFigure
            key="left"
            name="history-chart"
            heading="What was left"
            words={`What was left${span}: first ${usd(first?.spendable)}, last ${usd(last?.spendable)}.`}
            data={line}
            draw={LeftChart}
            table={() => <LeftTable history={history} now={now} />}
          />
        ) : (
          <div class="figure-box" data-testid="history-chart">
            <h3>What was left</h3>
            <p class="soft">
              {points.length > 0 && points.every((point) => point.spendable === null)
                ? "Nothing limited this key in that time."
                : "There are not enough polls yet to draw a line."}
            </p>
          </div>
        )}
        <ChartFigure
          key="spend"
          name="history-spend"
          heading={each === "hour" ? "Spent per hour" : `Spent per ${each} (UTC)`}
          words={`What was spent per ${each}: ${sum} in all.`}
          data={columns}
          draw={SpendChart}
          table={() => <SpendTable history={history} now={now} />}
        />
      </div>
      <div class="row soft">
        <span>
          {sum} spent in the time shown
          {isAnyEstimated && " · ~ and outlines: estimated, spread over a time without polls"}
        </span>
        <a
          href={`/api/openrouter/history.csv?since=${range}`}
          download="orcredit-history.csv"
          data-testid="csv"
        >
          Download CSV
        </a>
      </div>
    </>
  );
}

function RecentSpend({ recent, now }: { recent: Recent; now: number }) {
  const spans: [string, string, string | null][] = [
    ["Last hour", "hour", spent(recent.lastHour, recent.lastHourSince, recent.lastHourEstimated, now)],
    ["Last 24 h", "day", spent(recent.lastDay, recent.lastDaySince, recent.lastDayEstimated, now)],
    ["Last 7 d", "week", spent(recent.lastWeek, recent.lastWeekSince, recent.lastWeekEstimated, now)],
  ];
  const missed = unseen(recent);
  return (
    <>
      <dl class="facts recent-spend">
        {spans.map(([label, span, words]) => (
          <div key={span}>
            <dt>{label}</dt>
            <dd data-testid={`recent-${span}`}>{words ?? NOT_KNOWN}</dd>
          </div>
        ))}
        {recent.accountPerDay !== null && (
          <div>
            <dt>Account</dt>
            <dd data-testid="recent-account">{usd(recent.accountPerDay)} a day</dd>
          </div>
        )}
      </dl>
      {missed.length > 0 && (
        <p class="soft" data-testid="recent-unseen">
          {missed.join(". ")}.
        </p>
      )}
    </>
  );
}

function SpendTable({ history, now }: { history: HistoryDocument; now: number }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">Spent</th>
        </tr>
      </thead>
      <tbody>
        {[...history.spend].reverse().map((one) => (
          <tr key={one.from}>
            <th scope="row">{name(Date.parse(one.from), Date.parse(one.to), now)}</th>
            <td>{one.estimated ? <abbr title="estimated">~{usd(one.usd)}</abbr> : usd(one.usd)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function LeftTable({ history, now }: { history: HistoryDocument; now: number }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">At</th>
          <th scope="col">Left</th>
        </tr>
      </thead>
      <tbody>
        {[...history.points].reverse().map((point) => (
          <tr key={point.at}>
            <th scope="row">{instant(point.at, now)}</th>
            <td>{point.spendable === null ? "no limit" : usd(point.spendable)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Fetches at once for another range, and for another balance at most once a minute. */
function useHistory(range: Range, fetchedAt: string): { history: HistoryDocument | null; note: string | null } {
  const [state, setState] = useState<{ range: Range; history: HistoryDocument } | null>(null);
  const [note, setNote] = useState<string | null>(LOADING);
  const asked = useRef<{ range: Range; at: number } | null>(null);

  useEffect(() => {
    const before = asked.current;
    const isDue = before?.range !== range || Math.abs(Date.now() - before.at) > PAUSE;
    if (!isDue || (document.hidden && before !== null)) return;
    const request = { range, at: Date.now() };
    asked.current = request;
    fetchHistory(range).then(
      (history) => {
        if (asked.current !== request) return; // another range was chosen meanwhile
        setState({ range, history });
        setNote(null);
      },
      (error: unknown) => {
        if (asked.current !== request) return;
        setState((old) => (old?.range === range ? old : null));
        setNote(whyNot(error));
      },
    );
  }, [range, fetchedAt]);

  // Until the answer for another range has come the old one stays: an empty card would change the layout.
  return { history: state?.history ?? null, note };
}
