// A profile as a row of the table.

import { documentNow } from "../clock";
import { named, near, NOT_KNOWN, openEnded, scopeInWords } from "../format";
import type { Balance, Runaway } from "../generated";
import { addressOf } from "../route";
import { ACCOUNT_CREDIT } from "../scopes";
import type { Profiles, ProfileState } from "../state";
import {
  amountInWords,
  barColour,
  budgetLevel,
  budgetName,
  expiryCell,
  isByPaceTooLate,
  isFreeOnly,
  limitedBy,
  limitingBudget,
  needsAttention,
  paceName,
  untilCell,
} from "../words";
import type { End, KeyRow, Left, Status } from "./row";

/** By the profile's name. */
export type Days = ReadonlyMap<string, readonly (number | null)[]>;

/** What a row was made of: the same makes the same row, which then need not be drawn again. */
interface Made {
  state: ProfileState;
  days: KeyRow["days"];
  row: KeyRow;
}

/** Makes rows of profiles. */
export class ProfileRows {
  private made = new Map<string, Made>();

  of(profiles: Profiles, days: Days | null): KeyRow[] {
    const made = new Map<string, Made>();
    for (const [name, state] of profiles) {
      const spent = days?.get(name) ?? null;
      const old = this.made.get(name);
      made.set(name, old?.state === state && old.days === spent ? old : { state, days: spent, row: rowOf(name, state, spent) });
    }
    this.made = made;
    return Array.from(made.values(), ({ row }) => row);
  }
}

const NO_END: End = { text: NOT_KNOWN, tone: "plain" };

export function rowOf(name: string, { held, problem, runaway }: ProfileState, days: KeyRow["days"]): KeyRow {
  const balance = held?.balance ?? null;
  const row = { id: name, name: named(name), href: addressOf(name), days, reason: reasonOf(balance, problem?.error ?? null) };
  const status = statusOf(balance, problem?.code ?? null);
  if (held === null || balance === null) {
    const none = { detail: null, needsAttention: false, isRunaway: false, spendable: null, left: null, today: null, endsAt: null, freshAt: null };
    return { ...row, ...none, status, noAmount: NOT_KNOWN, noBar: NOT_KNOWN, end: () => NO_END };
  }
  return {
    ...row,
    status,
    detail: balance.key.label,
    needsAttention: needsAttention(balance),
    // The others have no money, or what is known of it is old.
    isRunaway: runaway !== null && ["ok", "low", "unlimited"].includes(status),
    spendable: balance.spendable,
    noAmount: isFreeOnly(balance) ? amountInWords(balance) : "no limit",
    left: leftOf(balance),
    noBar: limitedBy(balance) ?? NOT_KNOWN,
    today: balance.usageDaily,
    endsAt: endsAt(balance, runaway),
    end: (browserNow) => endOf(balance, runaway, documentNow(held, browserNow)),
    freshAt: held.freshAt,
  };
}

function statusOf(balance: Balance | null, code: string | null): Status {
  if (code === "configuration" || code === "refused") return code;
  if (code !== null && code !== "starting") return "unread";
  if (balance === null) return "asking";
  return balance.stale ? "unread" : balance.level;
}

function reasonOf(balance: Balance | null, error: string | null): string | null {
  if (balance?.stale === true) return openEnded(balance.staleReason ?? "why is not known");
  return error === null ? null : openEnded(error);
}

function leftOf(balance: Balance): Left | null {
  const budget = limitingBudget(balance);
  if (budget === null) return null;
  const { limit, remaining, percentRemaining } = budget;
  const colour = barColour(percentRemaining, budgetLevel(budget, balance));
  return { name: budgetName(budget, balance), limit, remaining, percentRemaining, colour };
}

function endsAt({ level, pace }: Balance, runaway: Runaway | null): number | null {
  if (level === "exhausted") return -Infinity;
  const ends = [pace?.runsOutAt, runaway?.runsOutAt].flatMap((at) => (at ? [Date.parse(at)] : []));
  if (ends.length > 0) return Math.min(...ends);
  return pace?.perDay == null ? null : Infinity;
}

/** The second cell of the key's page in one line: `runs out in 1 d 17 h · resets 1 March`. */
function endOf(balance: Balance, runaway: Runaway | null, now: number): End {
  const { label, value, tone } = expiryCell(balance, runaway, now) ?? untilCell(balance, runaway, now);
  const resetsAt = limitingBudget(balance)?.resetsAt ?? null;
  const reset = resetsAt === null ? null : `resets ${near(resetsAt, now)}`;
  if (value === "not known") return { text: reset ?? NOT_KNOWN, tone };
  if (value === "never") return { text: "never runs out", tone };
  const text = label === "Refused" ? value : `${label.toLowerCase()} ${value}`;
  if (label !== "Runs out") return { text, tone }; // what lasts does so until the reset; what is refused is so until one
  const what = runOutName(balance, runaway);
  if (what !== null) return { text: `${what} ${text}`, tone };
  return { text: reset === null ? text : `${text} · ${reset}`, tone };
}

/** What runs out, where that is not what limits the key: `credit`, `workspace budget`. */
function runOutName(balance: Balance, runaway: Runaway | null): string | null {
  const gone = runaway?.runsOutAt != null && isByPaceTooLate(balance, runaway.runsOutAt) ? runaway.scope : null;
  if (gone === balance.limitedBy) return null;
  if ((gone ?? balance.pace?.scope) === ACCOUNT_CREDIT && balance.limitedBy !== ACCOUNT_CREDIT) return "credit";
  return gone === null ? paceName(balance) : scopeInWords(gone);
}
