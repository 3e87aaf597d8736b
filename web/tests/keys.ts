// Rows for tests of the table of keys.

import type { KeyRow, Status } from "../src/keys/row";

export function row(name: string, changes: Partial<KeyRow> = {}): KeyRow {
  return {
    id: name,
    name,
    detail: null,
    href: `#/key/${name}`,
    status: "ok",
    needsAttention: false,
    isRunaway: false,
    spendable: 50,
    noAmount: "–",
    left: { name: "key limit", limit: 100, remaining: 50, percentRemaining: 50, colour: "yellow" },
    noBar: "–",
    today: 1,
    days: null,
    endsAt: Infinity,
    end: () => ({ text: "lasts until 1 March", tone: "plain" }),
    freshAt: Date.now(),
    reason: null,
    ...changes,
  };
}

/** A row that has so much left of its limit. */
export function left(name: string, status: Status, percentRemaining: number, changes: Partial<KeyRow> = {}): KeyRow {
  const left = { name: "key limit", limit: 100, remaining: percentRemaining, percentRemaining, colour: "red" as const };
  return row(name, { status, spendable: Math.max(percentRemaining, 0), left, ...changes });
}
