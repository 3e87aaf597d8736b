// The chart's numbers as a table, for readers who cannot see it and for all who want to copy them.

import { instant, usd } from "../format";
import type { HistoryDocument } from "../generated";
import { marked, name } from "./intervals";

export function Tables({ history, now }: { history: HistoryDocument; now: number }) {
  return (
    <div class="chart-tables">
      <Table caption="Left" head={["At", "Left"]} rows={leftRows(history, now)} />
      <Table caption="Spent" head={["From", "Spent"]} rows={spentRows(history, now)} />
    </div>
  );
}

type Row = [key: string, time: string, amount: string];

function leftRows({ points }: HistoryDocument, now: number): Row[] {
  return points.toReversed().map(({ at, spendable }) => [at, instant(at, now), spendable === null ? "no limit" : usd(spendable)]);
}

function spentRows({ spend }: HistoryDocument, now: number): Row[] {
  return spend
    .toReversed()
    .map((one) => [one.from, name(Date.parse(one.from), Date.parse(one.to), now), marked(one)]);
}

function Table({ caption, head, rows }: { caption: string; head: [string, string]; rows: Row[] }) {
  return (
    // A long table scrolls within itself, also by keyboard.
    <div class="chart-scroll" tabIndex={0} role="region" aria-label={`${caption}, as a table`}>
      <table>
        <thead>
          <tr>
            {head.map((word) => (
              <th key={word} scope="col">
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([key, time, amount]) => (
            <tr key={key}>
              <th scope="row">{time}</th>
              <td>{amount}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
