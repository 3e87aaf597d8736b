// The table of models: what was spent on each, and what that bought.

import { useState } from "preact/hooks";
import { DAY } from "../chart/range";
import { count, NOT_KNOWN, percent, usd } from "../format";
import type { Activity, Spend } from "../generated";
import type { Asked } from "./asked";
import { TRUNCATED } from "./feed";
import { price } from "./price";
import { Problem } from "./problem";
import { nameOf } from "./stack";

/** How many are shown at first: as many as there is room kept for. */
const SHOWN = 6;

type Column = [head: string, unit: string, value: (row: Spend) => number | null, text: (row: Spend) => string];

const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

const tokensOf = ({ promptTokens, completionTokens }: Spend) =>
  promptTokens === null && completionTokens === null ? null : (promptTokens ?? 0) + (completionTokens ?? 0);

/** `unit`: beside the number where a narrow window shows no head. */
const COLUMNS: Column[] = [
  ["Spend", "", (row) => row.spend, (row) => usd(row.spend)],
  ["Share", "", (row) => row.share, (row) => percent(row.share, row.spend)],
  ["Requests", "requests", (row) => row.requests, (row) => inWords(row.requests)],
  ["Tokens", "tokens", tokensOf, (row) => compact(tokensOf(row))],
  ["Per million", "per million tokens", (row) => row.perMillionTokens, (row) => price(row.perMillionTokens)],
  ["Per request", "per request", (row) => row.perRequest, (row) => price(row.perRequest)],
];

function inWords(number: number | null): string {
  return number === null ? NOT_KNOWN : count(number);
}

function compact(number: number | null): string {
  return number === null ? NOT_KNOWN : COMPACT.format(number);
}

/** `days`: how many are asked for. */
export function Models({ asked, days }: { asked: Asked<Activity>; days: number }) {
  const { answer, error, again } = asked;
  const counted = answer === null ? days : Math.round((Date.parse(answer.until) - Date.parse(answer.since)) / DAY);
  return (
    <section class="card account-models" data-testid="account-models" aria-busy={answer === null && error === null}>
      <h2>
        Models <span class="soft">last {counted} days</span>
      </h2>
      {answer !== null ? (
        <Table activity={answer} />
      ) : error !== null ? (
        <Problem error={error} again={again} />
      ) : (
        <p class="soft">Loading…</p>
      )}
    </section>
  );
}

function Table({ activity }: { activity: Activity }) {
  const [order, setOrder] = useState({ column: 0, isReversed: false });
  const [isOpen, setOpen] = useState(false);
  const { rows, others, truncated } = activity;
  if (rows.length === 0) return <p class="soft">Nothing was spent on models in this time.</p>;
  const sorted = order.column < 0 ? byName(rows) : byValue(rows, COLUMNS[order.column]?.[2] ?? (() => null));
  const inOrder = order.isReversed ? sorted.toReversed() : sorted;
  const isCut = rows.length > SHOWN && !isOpen;
  const heading = (column: number, text: string) => {
    const isOrder = order.column === column;
    const isDescending = column < 0 === (isOrder && order.isReversed);
    return (
      <th
        key={text}
        scope="col"
        role="columnheader"
        class={column < 0 ? "" : "number"}
        aria-sort={isOrder ? (isDescending ? "descending" : "ascending") : undefined}
      >
        <button type="button" onClick={() => setOrder({ column, isReversed: isOrder && !order.isReversed })}>
          {text}
          {isOrder && <span aria-hidden="true"> {isDescending ? "▼" : "▲"}</span>}
        </button>
      </th>
    );
  };
  return (
    <>
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            {heading(-1, "Model")}
            {COLUMNS.map(([head], column) => heading(column, head))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {inOrder.slice(0, isCut ? SHOWN - 1 : undefined).map((row) => (
            <Row key={row.model} name={nameOf(row, "model")} row={row} />
          ))}
          {others !== null && !isCut && <Row name="others" row={others} />}
        </tbody>
      </table>
      {isCut && (
        <button type="button" class="button" data-testid="account-all-models" onClick={() => setOpen(true)}>
          Show all {count(rows.length)}
        </button>
      )}
      {truncated && <p class="soft">{TRUNCATED}</p>}
    </>
  );
}

function Row({ name, row }: { name: string; row: Spend }) {
  return (
    <tr role="row">
      <th scope="row" role="rowheader">
        {name}
      </th>
      {COLUMNS.map(([head, unit, , text]) => (
        <td key={head} role="cell" class="number" data-unit={unit}>
          {head === "Share" && (
            <span class="bar" aria-hidden="true">
              <span style={{ width: `${row.share ?? 0}%` }} />
            </span>
          )}
          {text(row)}
        </td>
      ))}
    </tr>
  );
}

function byName(rows: Spend[]): Spend[] {
  return rows.toSorted((one, other) => nameOf(one, "model").localeCompare(nameOf(other, "model")));
}

/** The most first. */
function byValue(rows: Spend[], value: (row: Spend) => number | null): Spend[] {
  return rows.toSorted((one, other) => (value(other) ?? -1) - (value(one) ?? -1));
}
