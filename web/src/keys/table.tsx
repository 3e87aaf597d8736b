// A table of keys: counts that filter, a search, columns that sort, 100 rows at a time. Made for thousands of rows: what is
// not in or near the window is neither laid out nor drawn again.

import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { count } from "../format";
import { useNow } from "../ticking";
import { Block } from "./block";
import { Headings } from "./headings";
import { type Column, counted, found, inOrder, type KeyRow, type Order, WORST } from "./row";
import "../styles/later.css";
import "./keys.css";

const ROWS_AT_A_TIME = 100;

/** Blocks that are taken away at once, where many are no longer shown: to take away thousands of rows takes long. */
const LEAVING_AT_ONCE = 5;

/** Milliseconds. What is only a little older than that need not be drawn again: no age is shown more exactly. */
const STEP = 5000;

/** Milliseconds: rows that changed without a change of status stay where they are, so that none moves under the pointer. */
const STAYS_FOR = 30_000;

interface Shown {
  title: string;
  rows: readonly KeyRow[];
  /** In this order; must not change with every drawing. */
  columns: readonly Column[];
  /** Under this name the table keeps what was chosen until the page is loaded again. */
  name: string;
}

interface Choice {
  order: Order;
  groups: readonly string[];
  words: string;
  most: number;
}

const choices = new Map<string, Choice>();

export function KeyTable({ title, rows, columns, name }: Shown) {
  const [choice, setChoice] = useState<Choice>(
    () => choices.get(name) ?? { order: WORST, groups: [], words: "", most: ROWS_AT_A_TIME },
  );
  const choose = (changes: Partial<Choice>) => {
    const chosen = { ...choice, most: ROWS_AT_A_TIME, ...changes };
    choices.set(name, chosen);
    setChoice(chosen);
  };
  const groups = useMemo(() => counted(rows), [rows]);
  const ordered = useOrdered(rows, choice.order, groups.map((group) => `${group.count} ${group.id}`).join());
  const there = choice.groups.filter((id) => groups.some((group) => group.id === id));
  const matching = useMemo(() => found(ordered, there, choice.words), [ordered, there.join(), choice.words]);
  const isFiltered = there.length > 0 || choice.words.trim() !== "";
  const shown = matching.slice(0, choice.most);
  const blocks = useLeaving(blocksOf(shown));
  const now = Math.floor(useNow() / STEP) * STEP;
  const heading = useId();
  return (
    <section class="card key-table" data-testid="keys" aria-labelledby={heading}>
      <div class="key-head">
        <h2 id={heading}>{title}</h2>
        <div class="chips" role="group" aria-label="Show only">
          {groups.map((group) => (
            <button
              key={group.id}
              type="button"
              class="chip"
              data-tone={group.tone}
              data-testid={`chip-${group.id}`}
              aria-pressed={there.includes(group.id)}
              onClick={() => choose({ groups: toggled(there, group.id) })}
            >
              {count(group.count)} {group.word}
            </button>
          ))}
        </div>
        <input
          type="search"
          placeholder="Search"
          aria-label="Search the keys"
          data-testid="search"
          value={choice.words}
          onInput={(event) => choose({ words: event.currentTarget.value })}
        />
      </div>
      {/* The roles stay where rows are shown as a grid. */}
      <table role="table" aria-labelledby={heading} data-columns={columns.join(" ")}>
        <Headings columns={columns} order={choice.order} onOrder={(order) => choose({ order })} />
        {blocks.map((block, index) => (
          <Block key={index} rows={block} columns={columns} now={now} />
        ))}
      </table>
      <p class="foot soft">
        {matching.length === 0
          ? "No key matches."
          : isFiltered || shown.length < matching.length
            ? `${count(shown.length)} of ${count(matching.length)}${isFiltered ? " that match" : ""}`
            : ""}{" "}
        {shown.length < matching.length && (
          <button type="button" class="button" data-testid="more" onClick={() => choose({ most: choice.most + ROWS_AT_A_TIME })}>
            Show {count(Math.min(ROWS_AT_A_TIME, matching.length - shown.length))} more
          </button>
        )}
        {matching.length === 0 && rows.length > 0 && (
          <button type="button" class="button" onClick={() => choose({ groups: [], words: "" })}>
            Show all
          </button>
        )}
      </p>
    </section>
  );
}

function toggled(list: readonly string[], one: string): string[] {
  return list.includes(one) ? list.filter((other) => other !== one) : [...list, one];
}

function blocksOf(rows: readonly KeyRow[]): KeyRow[][] {
  const blocks: KeyRow[][] = [];
  for (let from = 0; from < rows.length; from += ROWS_AT_A_TIME) blocks.push(rows.slice(from, from + ROWS_AT_A_TIME));
  return blocks;
}

/** The blocks, and after them those of the last drawing that are still to be taken away. */
function useLeaving(blocks: KeyRow[][]): KeyRow[][] {
  const last = useRef<KeyRow[][]>([]);
  const isLeaving = useRef(false);
  const [, draw] = useState(0);
  const surplus = Math.max(last.current.length - blocks.length, 0);
  // Of many none leaves with the drawing that brings the others: that takes long enough.
  const staying = surplus > LEAVING_AT_ONCE ? surplus - (isLeaving.current ? LEAVING_AT_ONCE : 0) : 0;
  const leaving = last.current.slice(blocks.length, blocks.length + staying);
  isLeaving.current = leaving.length > 0;
  last.current = [...blocks, ...leaving];
  useEffect(() => {
    if (leaving.length > 0) requestAnimationFrame(() => draw(Date.now()));
  });
  return last.current;
}

/** The rows in that order, which is found anew at once where the statuses changed, else after a while. */
function useOrdered(rows: readonly KeyRow[], order: Order, statuses: string): readonly KeyRow[] {
  const kept = useRef({ rows, order, statuses, at: -Infinity, ordered: [] as readonly KeyRow[] });
  const last = kept.current;
  if (last.rows === rows && last.order === order && last.at > 0) return last.ordered;
  const now = Date.now();
  const isNew = last.order !== order || last.statuses !== statuses || Math.abs(now - last.at) > STAYS_FOR;
  const ordered = isNew ? inOrder(rows, order) : updated(last.ordered, rows);
  kept.current = { rows, order, statuses, at: isNew ? now : last.at, ordered };
  return ordered;
}

/** The same rows as before, in the same order, with what is known of them now. */
function updated(ordered: readonly KeyRow[], rows: readonly KeyRow[]): readonly KeyRow[] {
  const newest = new Map(rows.map((row) => [row.id, row]));
  return ordered.map((row) => newest.get(row.id)).filter((row) => row !== undefined);
}
