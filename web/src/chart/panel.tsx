// The card "Left and spent": the chart, its ranges, and the same in words and as a table.

import "../styles/later.css";
import "./chart.css";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { historyAddress } from "../api";
import { age, type Held } from "../clock";
import { instant } from "../format";
import type { HistoryDocument, SpendInterval } from "../generated";
import { firstRange, type Known, LOADING, useHistory } from "../history-feed";
import { Drawing } from "./drawing";
import { amountOfAll, unit } from "./intervals";
import { knownSince } from "./lines";
import type { Size } from "./frame";
import { textWidth } from "./labels";
import { dayOf, MINUTE, type Range, RANGES, reportedSince, spanOf } from "./range";
import { isYoung } from "./recent";
import { RecentSpend } from "./recent-spend";
import { type Scene, sceneOf } from "./scene";
import { sentence } from "./sentence";
import { useSize } from "./size";
import { stopsOf } from "./stops";
import { Tables } from "./table";
import { Walk } from "./walk";

export function HistoryPanel({ held, isOld, isWall }: { held: Held; isOld: boolean; isWall: boolean }) {
  const [chosen, setChosen] = useState(firstRange(isWall));
  const range = isWall ? "period" : chosen;
  const now = useMinute(held);
  const known = useHistory(range, held, now);
  const { history } = known;
  return (
    <div class={isWall ? "chart-card wall" : "chart-card"}>
      <div class="chart-head">
        <h2>Left and spent</h2>
        {!isWall && <Ranges range={range} onChoose={setChosen} />}
      </div>
      <Chart known={known} range={known.range ?? range} held={held} now={now} isOld={isOld} />
      {!isWall && known.note !== LOADING && <Foot history={history} range={range} profile={held.balance.profile} now={now} />}
    </div>
  );
}

function Ranges({ range, onChoose }: { range: Range; onChoose: (range: Range) => void }) {
  return (
    <div class="segments" role="group" aria-label="How far back">
      {RANGES.map(([value, label]) => (
        <button
          key={value}
          type="button"
          aria-pressed={range === value}
          data-testid={`range-${value}`}
          onClick={() => onChoose(value)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

interface Shown {
  known: Known;
  range: Range;
  held: Held;
  now: number;
  isOld: boolean;
}

function Chart({ known, range, held, now, isOld }: Shown) {
  const { history, note } = known;
  const { balance } = held;
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const words = useId();
  const isReady = size !== null && note !== LOADING;
  const span = useMemo(() => spanOf(range, history, balance, now), [range, history, balance, now]);
  const scene = useMemo(
    () => (isReady ? sceneOf({ history, range, balance, now }, size) : null),
    [isReady, history, range, balance, now, size],
  );
  const stops = useMemo(() => stopsOf(history, balance, span), [history, balance, span]);
  const said = useMemo(() => sentence(history, balance, span, isOld), [history, balance, span, isOld]);
  const caption = spendCaption(history?.spend ?? [], size);
  // Kept, so that it is not drawn anew with every step of the cursor.
  const drawing = useMemo(
    () => scene !== null && <Drawing scene={scene} isOld={isOld} caption={caption} words={words} />,
    [scene, isOld, caption, words],
  );
  const message = note ?? whyEmpty(history, now);
  const isWaiting = note === LOADING;
  return (
    <>
      <Legend scene={scene} />
      <div ref={box} class="chart">
        {drawing}
        {scene !== null && <Walk scene={scene} stops={stops} now={now} label="Left and spent, by time" />}
        {message !== null && isWaiting && (
          <p key="waiting" class="chart-note" data-testid="history-note">
            {message}
          </p>
        )}
      </div>
      {message !== null && !isWaiting && (
        // Below the chart: on a phone, and in a large font, there is no room for a sentence within it.
        <p class="chart-foot" data-testid="history-note">
          {message}
        </p>
      )}
      <p id={words} hidden data-testid="history-words">
        {said}
      </p>
    </>
  );
}

function spendCaption(spend: SpendInterval[], size: Size | null): string {
  const each = unit(spend);
  const short = each === "hour" ? "Spent an hour" : `Spent a ${each}`;
  if (each === "hour") return short;
  const long = `${short} (UTC)`;
  return size !== null && textWidth(long, size.em) * BOLD > size.width ? short : long;
}

/** How much wider the caption's bold letters are. */
const BOLD = 1.15;

/** Why nothing was seen in the time that is shown; null where something was. */
function whyEmpty(history: HistoryDocument | null, now: number): string | null {
  if (history === null || history.points.length > 0 || history.spend.length > 0) return null;
  const { until } = history.recent;
  return until === null
    ? "No history of this key yet: it grows while orcredit runs."
    : `Nothing was recorded in this time; the last poll was on ${instant(until, now)}.`;
}

/** Names what is drawn, and only that. */
function Legend({ scene }: { scene: Scene | null }) {
  const isWide = scene !== null && scene.frame.width > 30 * scene.frame.em;
  const forecast = isWide && scene.forecast?.cone != null ? "forecast, fastest to slowest" : "forecast";
  const entries: [string, string, boolean | undefined][] = [
    ["seen", "seen", scene !== null && scene.stretches.length > 0],
    ["forecast", forecast, scene?.forecast != null],
    ["gap", "not watched", scene !== null && scene.gaps.length > 0],
    ["estimate", "estimated", scene?.bars.some((bar) => bar.isEstimated && bar.height > 0)],
    ["reset", "reset", scene !== null && scene.resets.length > 0],
  ];
  const isOut = scene?.forecast?.isEarly === true;
  return (
    <ul class="chart-legend" aria-hidden="true">
      {scene !== null && !scene.hasLine && <li>Nothing limited this key in this time.</li>}
      {entries.map(
        ([name, text, isDrawn]) =>
          isDrawn === true && (
            <li key={name}>
              <i class={name === "forecast" && isOut ? "chart-key forecast out" : `chart-key ${name}`} />
              {text}
            </li>
          ),
      )}
    </ul>
  );
}

interface FootShown {
  history: HistoryDocument | null;
  range: Range;
  profile: string | null;
  now: number;
}

function Foot({ history, range, profile, now }: FootShown) {
  const [isOpen, setOpen] = useState(false);
  // Not since the range began, where the key was watched only later.
  const since = reportedSince(history) ?? Math.max(Date.parse(history?.since ?? ""), knownSince(history) ?? 0);
  const isAny = history !== null && (history.points.length > 0 || history.spend.length > 0);
  return (
    <div class="chart-foot">
      {history !== null && history.spend.length > 0 && !isYoung(history.recent) && (
        <p class="chart-facts">
          <strong>{amountOfAll(history.spend)}</strong> spent since {dayOf(new Date(since), undefined)}
        </p>
      )}
      {history !== null && <RecentSpend recent={history.recent} now={now} />}
      {isAny && (
        <div class="chart-twins">
          <details data-testid="history-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary>As a table</summary>
            {isOpen && <Tables history={history} now={now} />}
          </details>
          <a href={historyAddress(`.csv?since=${range}`, profile)} download="orcredit-history.csv" data-testid="csv">
            CSV
          </a>
        </div>
      )}
    </div>
  );
}

/** Now in the document's time, a minute at a time: the chart shows no less. */
function useMinute(held: Held): number {
  const [, draw] = useState(0);
  useEffect(() => {
    const tick = () => document.hidden || draw(Date.now());
    const timer = setInterval(tick, MINUTE);
    document.addEventListener("visibilitychange", tick);
    return () => {
      document.removeEventListener("visibilitychange", tick);
      clearInterval(timer);
    };
  }, []);
  const fetchedAt = Date.parse(held.balance.fetchedAt);
  return fetchedAt + Math.floor(age(held, Date.now()) / MINUTE) * MINUTE;
}
