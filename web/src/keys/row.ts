// A row of a table of keys, whether it is a profile or a key of an account; and the order of rows.

import type { Budget, Level } from "../generated";
import type { Colour, Tone } from "../words";

/**
 * What is known of a key. "configuration", "refused": that, or OpenRouter, does not let it be read; "unread": OpenRouter
 * does not answer; "asking": nothing is known yet.
 */
export type Status = Level | "configuration" | "refused" | "unread" | "asking" | "disabled" | "expired";

/** What is left of what limits a key. */
export interface Left extends Pick<Budget, "limit" | "remaining" | "percentRemaining"> {
  /** Of the budget: `key limit`. */
  name: string;
  colour: Colour;
}

/** When it is over, in words for a column: `in 1 d 17 h · resets 1 March`. */
export interface End {
  text: string;
  tone: Tone;
}

export interface KeyRow {
  /** Tells it from all others; the same as long as it is the same key. */
  id: string;
  name: string;
  /** Beside the name: the masked label, the workspace; null where there is nothing to say. */
  detail: string | null;
  /** The address of its page; null where it has none. */
  href: string | null;
  status: Status;
  /** Whether it is shown in amber although its level is ok. */
  needsAttention: boolean;
  /** Whether its money runs away. */
  isRunaway: boolean;
  /** USD; null where nothing that is known limits it, or nothing is known. */
  spendable: number | null;
  /** What stands in the amount's place where that is null. */
  noAmount: string;
  /** Null where it has no budget. */
  left: Left | null;
  /** What stands in the bar's place where there is none: `account's credit`. */
  noBar: string;
  /** USD, in the current UTC day; null where that is not reported. */
  today: number | null;
  /** USD a day of the last 14 UTC days, oldest first: null for one that was not watched; null where nothing is known. */
  days: readonly (number | null)[] | null;
  /** When it runs out, as milliseconds; `Infinity` where it lasts, -Infinity where nothing is left; null where that is not known. */
  endsAt: number | null;
  /** Says when that is, at a time of the browser's clock. */
  end: (browserNow: number) => End;
  /** When its numbers were new, by the browser's clock; null before any. */
  freshAt: number | null;
  /** Why it cannot be read, in a sentence; null while it can. */
  reason: string | null;
}

/** What a chip counts and shows. */
export interface Group {
  /** Of the chip's hook: `chip-low`. */
  id: string;
  has: (row: KeyRow) => boolean;
  word: string;
  tone: Tone;
  /** Shown where its chip is pressed, or where there is nothing else. */
  isHidden?: boolean;
}

const has =
  (...statuses: Status[]) =>
  ({ status }: KeyRow) =>
    statuses.includes(status);

/** The worst first. A runaway is counted by its level, too. */
export const GROUPS: readonly Group[] = [
  { id: "exhausted", has: has("exhausted"), word: "exhausted", tone: "bad" },
  { id: "failed", has: has("configuration", "refused", "unread"), word: "failed", tone: "attention" },
  { id: "low", has: has("low"), word: "low", tone: "bad" },
  { id: "runaway", has: ({ isRunaway }) => isRunaway, word: "runaway", tone: "bad" },
  { id: "ok", has: has("ok"), word: "ok", tone: "good" },
  { id: "unlimited", has: has("unlimited"), word: "no limit", tone: "plain" },
  { id: "asking", has: has("asking"), word: "not asked yet", tone: "plain" },
  { id: "disabled", has: has("disabled"), word: "disabled", tone: "plain", isHidden: true },
  { id: "expired", has: has("expired"), word: "expired", tone: "plain", isHidden: true },
];

/** By the exit codes of `orcredit status --all`, and then what the command does not have. */
const RANKS: Record<Status, number> = {
  configuration: 0,
  refused: 1,
  exhausted: 2,
  unread: 3,
  low: 4,
  ok: 5,
  unlimited: 5,
  asking: 6,
  expired: 7,
  disabled: 8,
};

/** A column; what it orders by. */
export type Column = "status" | "name" | "spendable" | "left" | "today" | "days" | "end" | "age";

export interface Order {
  by: Column;
  /** The other way round than the column's first order. */
  isReversed: boolean;
}

export const WORST: Order = { by: "status", isReversed: false };

const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** The places of names in their order: to compare thousands of them takes long, and they are always the same. */
let places = new Map<string, number>();

function inOrderOfNames(rows: readonly KeyRow[]): KeyRow[] {
  if (!rows.every(({ name }) => places.has(name))) {
    const names = [...new Set(rows.map(({ name }) => name))].sort(byName.compare);
    places = new Map(names.map((name, place) => [name, place]));
  }
  return [...rows].sort((one, other) => (places.get(one.name) ?? 0) - (places.get(other.name) ?? 0));
}

/** What of a row a column orders by, the least first; null comes last in either direction. */
const VALUES: Record<Exclude<Column, "status" | "name">, (row: KeyRow) => number | null> = {
  spendable: ({ spendable }) => spendable,
  left: ({ left }) => left?.percentRemaining ?? null,
  today: ({ today }) => negative(today),
  days: ({ days }) => negative(days?.reduce((sum, one) => (one === null ? sum : (sum ?? 0) + one), null) ?? null),
  end: ({ endsAt }) => endsAt,
  age: ({ freshAt }) => negative(freshAt),
};

/** For columns that begin with the most. */
function negative(value: number | null): number | null {
  return value === null ? null : -value;
}

function worstFirst(one: KeyRow, other: KeyRow): number {
  return (
    RANKS[one.status] - RANKS[other.status] ||
    Number(other.isRunaway) - Number(one.isRunaway) ||
    Number(other.needsAttention) - Number(one.needsAttention) ||
    // Infinity - Infinity is NaN.
    (one.left?.percentRemaining ?? Infinity) - (other.left?.percentRemaining ?? Infinity) ||
    (one.endsAt ?? Infinity) - (other.endsAt ?? Infinity) ||
    // Of equals the unnamed profile comes first; all others are in the order of their names already.
    Number(other.id === "") - Number(one.id === "")
  );
}

/** The rows in an order; equals by their names. */
export function inOrder(rows: readonly KeyRow[], { by, isReversed }: Order): KeyRow[] {
  const sign = isReversed ? -1 : 1;
  const named = inOrderOfNames(rows);
  if (by === "name") return isReversed ? named.reverse() : named;
  if (by === "status") return named.sort((one, other) => sign * worstFirst(one, other));
  const values = new Map(named.map((row) => [row, VALUES[by](row)]));
  return named.sort((one, other) => {
    const [a, b] = [values.get(one) ?? null, values.get(other) ?? null];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return a === b ? 0 : sign * (a - b);
  });
}

/** How many rows each group has; groups without any are left out. */
export function counted(rows: readonly KeyRow[]): (Group & { count: number })[] {
  return GROUPS.map((group) => ({ ...group, count: rows.filter(group.has).length })).filter(({ count }) => count > 0);
}

/** The rows of the groups chosen, where none is of all that are not hidden, whose name or detail has the words. */
export function found(rows: readonly KeyRow[], groups: readonly string[], words: string): readonly KeyRow[] {
  const wanted = words.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const chosen = counted(rows).filter(({ id, isHidden }) => (groups.length === 0 ? isHidden !== true : groups.includes(id)));
  return rows.filter((row) => {
    if (chosen.length > 0 && !chosen.some((group) => group.has(row))) return false;
    const { name, detail } = row;
    const text = `${name} ${detail ?? ""}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}
