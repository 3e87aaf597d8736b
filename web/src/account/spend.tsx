// The card "Spend per day": bars stacked by model, key, app or provider, and the same as a table and as CSV.

import "../chart/chart.css";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { Grid, Zero } from "../chart/grid";
import { clock, usd } from "../format";
import { DAY } from "../chart/range";
import { useSize } from "../chart/size";
import { Walk } from "../chart/walk";
import type { Asked } from "./asked";
import type { Spent } from "./feed";
import { Legend } from "./legend";
import { Problem } from "./problem";
import { sceneOf, stopsOf, type StackScene } from "./scene";
import { type By, csvOf, type Stack } from "./stack";

export type Days = 7 | 30 | 90;

/** OpenRouter tells spend by provider of so many days. */
const PROVIDER_DAYS = 31;

const BYS: [By, string][] = [
  ["model", "Model"],
  ["key", "Key"],
  ["app", "App"],
  ["provider", "Provider"],
];
const DAYS: Days[] = [7, 30, 90];

export interface Choice {
  by: By;
  days: Days;
}

interface Shown {
  choice: Choice;
  onChoose: (choice: Choice) => void;
  asked: Asked<Spent>;
  /** Of the last document, in milliseconds. */
  now: number;
}

export function SpendCard({ choice, onChoose, asked, now }: Shown) {
  const { by, days } = choice;
  // That of other days stays until the newer one has come.
  const spent = asked.answer?.by === by ? asked.answer : null;
  return (
    <section class="card chart-card account-chart" data-testid="account-chart" aria-busy={asked.isAsking}>
      <div class="chart-head">
        <h2>Spend per day</h2>
        <div class="segments" role="group" aria-label="By what">
          {BYS.map(([value, label]) => (
            <button
              key={value}
              type="button"
              aria-pressed={by === value}
              data-testid={`account-by-${value}`}
              onClick={() => onChoose({ by: value, days: value === "provider" && days > PROVIDER_DAYS ? 30 : days })}
            >
              {label}
            </button>
          ))}
        </div>
        <div class="segments" role="group" aria-label="How far back">
          {DAYS.map((value) => {
            const isTooLong = by === "provider" && value > PROVIDER_DAYS;
            return (
              <button
                key={value}
                type="button"
                aria-pressed={days === value}
                aria-disabled={isTooLong}
                {...(isTooLong ? { title: `OpenRouter tells spend by provider of ${PROVIDER_DAYS} days` } : {})}
                data-testid={`account-range-${value}`}
                onClick={() => isTooLong || onChoose({ by, days: value })}
              >
                {value} d
              </button>
            );
          })}
        </div>
      </div>
      <Chart key={by} spent={spent} asked={asked} now={now} />
    </section>
  );
}

function Chart({ spent, asked, now }: Pick<Shown, "asked" | "now"> & { spent: Spent | null }) {
  const stack = spent?.stack ?? null;
  const [hidden, setHidden] = useState<readonly string[]>([]);
  const [lit, setLit] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const words = useId();
  const isShown = (place: number) => !hidden.includes(stack?.series[place]?.id ?? "");
  const scene = useMemo(() => (stack === null || size === null ? null : sceneOf(stack, isShown, size)), [stack, size, hidden]);
  const stops = useMemo(
    () => (spent === null ? [] : stopsOf(spent.stack, isShown, (day) => dayName(spent, day))),
    [spent, hidden],
  );
  const drawing = useMemo(
    () => scene !== null && stack !== null && <Bars scene={scene} hasOthers={stack.hasOthers} lit={lit} words={words} />,
    [scene, stack, lit, words],
  );
  const isEmpty = stack !== null && stack.series.length === 0;
  return (
    <>
      <div ref={box} class="chart">
        {drawing}
        {scene !== null && stops.length > 0 && <Walk scene={scene} stops={stops} now={now} label="Spend per day" />}
        {stack === null && asked.error === null && <p class="chart-note">Loading…</p>}
        {stack === null && asked.error !== null && (
          <div class="chart-note">
            <Problem error={asked.error} again={asked.again} />
          </div>
        )}
        {isEmpty && <p class="chart-note">Nothing was spent in this time.</p>}
      </div>
      <Legend
        series={stack?.series ?? []}
        hasOthers={stack?.hasOthers === true}
        isShown={isShown}
        onToggle={(id) => setHidden(hidden.includes(id) ? hidden.filter((one) => one !== id) : [...hidden, id])}
        onLight={setLit}
      />
      {spent !== null && (
        <>
          <p id={words} hidden>
            {sentence(spent)}
          </p>
          <Foot spent={spent} />
        </>
      )}
    </>
  );
}

function sentence({ by, whole, stack: { series } }: Spent): string {
  return `${usd(whole.total.spend)} spent, by ${by}: ${series.map(({ name, total }) => `${name} ${usd(total)}`).join(", ")}.`;
}

interface BarsShown {
  scene: StackScene;
  hasOthers: boolean;
  lit: number | null;
  words: string;
}

function Bars({ scene, hasOthers, lit, words }: BarsShown) {
  const { frame, ticks, times, paths } = scene;
  return (
    <svg class="chart-picture" viewBox={`0 0 ${frame.width} ${frame.height}`} role="img" aria-labelledby={words}>
      <Grid frame={frame} ticks={ticks} />
      <g class={lit === null ? "stack" : "stack dim"}>
        {paths.map((path, place) => (
          <path
            key={place}
            class={place === lit ? "lit" : ""}
            data-series={hasOthers && place === paths.length - 1 ? "others" : place}
            d={path}
          />
        ))}
      </g>
      <Zero part={frame.below} left={frame.left} right={frame.right} />
      <g class="chart-words">
        {times.map(({ x, text }) => (
          <text key={x} x={x} y={frame.times} text-anchor="middle">
            {text}
          </text>
        ))}
      </g>
    </svg>
  );
}

const DATE = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

/** `Thu 12 Feb (UTC)`; with a time where only a part of it is counted: `Thu 12 Feb (UTC), through 15:00`. */
function dayName({ stack: { days }, whole: { since, until } }: Spent, day: number): string {
  const begin = days[day] ?? 0;
  const [from, to] = [Date.parse(since), Date.parse(until)];
  const name = `${DATE.format(begin).replace(",", "")} (UTC)`;
  if (from > begin) return `${name}, from ${clock(new Date(from), false)}`;
  return to < begin + DAY ? `${name}, through ${clock(new Date(to), false)}` : name;
}

function Foot({ spent }: { spent: Spent }) {
  const { by, stack, notes } = spent;
  const [isOpen, setOpen] = useState(false);
  return (
    <div class="chart-foot">
      {notes.map((note) => (
        <p key={note} data-testid="account-chart-note">
          {note}
        </p>
      ))}
      {stack.series.length > 0 && (
        <div class="chart-twins">
          <details data-testid="account-chart-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary>As a table</summary>
            {isOpen && <Table spent={spent} />}
          </details>
          <Csv stack={stack} by={by} />
        </div>
      )}
    </div>
  );
}

function Csv({ stack, by }: { stack: Stack; by: By }) {
  const [address, setAddress] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([csvOf(stack)], { type: "text/csv" }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [stack]);
  return (
    <a href={address} download={`orcredit-spend-by-${by}.csv`} data-testid="account-csv">
      CSV
    </a>
  );
}

function Table({ spent }: { spent: Spent }) {
  const { days, series } = spent.stack;
  return (
    <div class="chart-scroll account-days" tabIndex={0} role="region" aria-label="Spend per day, as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Day</th>
            {series.map(({ id, name }) => (
              <th key={id} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {days
            .map((begin, day) => (
              <tr key={begin}>
                <th scope="row">{dayName(spent, day)}</th>
                {series.map(({ id, amounts }) => (
                  <td key={id}>{usd(amounts[day])}</td>
                ))}
              </tr>
            ))
            .toReversed()}
        </tbody>
      </table>
    </div>
  );
}
