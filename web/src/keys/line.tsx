// A row of the table of keys.

import { Component, type VNode } from "preact";
import { Bar } from "../bar";
import { ago, NOT_KNOWN, percent, usd } from "../format";
import type { Tone } from "../words";
import type { Column, KeyRow, Status } from "./row";
import { Sparkline } from "./sparkline";

interface Shown {
  row: KeyRow;
  columns: readonly Column[];
  now: number;
}

const WORDS: Record<Status, string> = {
  ok: "ok",
  low: "low",
  exhausted: "exhausted",
  unlimited: "no limit",
  configuration: "failed",
  refused: "failed",
  unread: "failed",
  asking: "asking",
  disabled: "disabled",
  expired: "expired",
};

const COLOURS: Record<Tone, string> = { bad: "red", attention: "amber", good: "", plain: "" };

/** Drawn again only when something of it changed. */
export class Line extends Component<Shown> {
  override shouldComponentUpdate({ row, columns, now }: Shown): boolean {
    const old = this.props;
    return row !== old.row || now !== old.now || columns !== old.columns;
  }

  override render({ row, columns, now }: Shown) {
    return (
      <tr
        role="row"
        class={row.reason === null ? "" : "old"}
        data-testid="key-row"
        data-status={row.status}
        data-attention={row.needsAttention}
        data-runaway={row.isRunaway}
        data-blank={row.freshAt === null}
      >
        {columns.map((column) => CELLS[column](row, now))}
      </tr>
    );
  }
}

const CELLS: Record<Column, (row: KeyRow, now: number) => VNode> = {
  status: ({ status, isRunaway }) => (
    <td role="cell" class="status">
      <i class="dot" aria-hidden="true" />
      {isRunaway ? `${status === "low" ? "low, " : ""}runaway` : WORDS[status]}
    </td>
  ),
  name: ({ name, detail, href }) => (
    <th role="rowheader" scope="row" class="name">
      {href === null ? (
        name
      ) : (
        <a href={href} {...(href.startsWith("#") ? {} : { target: "_blank", rel: "noreferrer" })}>
          {name}
        </a>
      )}
      {detail !== null && " "}
      {detail !== null && <span class="soft">{detail}</span>}
    </th>
  ),
  spendable: ({ spendable, noAmount }) => (
    <td role="cell" class={spendable === null ? "spendable word" : "spendable"}>
      {spendable === null ? noAmount : usd(spendable)}
    </td>
  ),
  left: ({ left, noBar }) => (
    <td role="cell" class="left">
      {left === null ? (
        <span class="soft">{noBar}</span>
      ) : (
        <>
          <Bar name={left.name} budget={left} colour={left.colour} />
          <span class="number">{percent(left.percentRemaining, left.remaining)}</span>
        </>
      )}
    </td>
  ),
  today: ({ today }) => (
    <td role="cell" class="today">
      {usd(today)}
    </td>
  ),
  days: ({ days }) => (
    <td role="cell" class="days">
      {days !== null && <Sparkline days={days} />}
    </td>
  ),
  end: ({ reason, end }, now) => {
    const { text, tone } = reason === null ? end(now) : { text: reason, tone: "plain" as const };
    return (
      <td role="cell" class={`end ${COLOURS[tone]}`} title={text}>
        {text}
      </td>
    );
  },
  age: ({ freshAt }, now) => (
    <td role="cell" class="age">
      {freshAt === null ? NOT_KNOWN : ago(Math.max(now - freshAt, 0))}
    </td>
  ),
};
