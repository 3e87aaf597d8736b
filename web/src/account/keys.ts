// The account's keys as rows of the table of keys.

import { type Dated, documentNow } from "../clock";
import { near, NOT_KNOWN, runOutIn, until, weekday } from "../format";
import type { AccountKey, KeyDays, KeyList } from "../generated";
import type { End, KeyRow } from "../keys/row";
import { addressOf } from "../route";
import type { Profiles } from "../state";
import { barColour } from "../words";

const DAY = 86_400_000;
/** A key that expires sooner says so. */
const EXPIRY_NOTICE = 7 * DAY;

export function rowsOf(list: KeyList, days: KeyDays | null, profiles: Profiles, dated: Dated): KeyRow[] {
  const named = new Map(Array.from(profiles, ([name, { held }]) => [held?.balance.key.label ?? null, name]));
  const labels = new Map<string, number>();
  for (const { label } of list.keys) if (label !== null) labels.set(label, (labels.get(label) ?? 0) + 1);
  const now = Date.parse(list.fetchedAt);
  return list.keys.map((key) => {
    const { hash, label, level, remaining, totalLimit, percentRemaining, usageDaily } = key;
    // Labels show a few characters of a key: two of an account may have the same.
    const profile = label !== null && labels.get(label) === 1 ? named.get(label) : undefined;
    const hasBar = totalLimit !== null && remaining !== null && percentRemaining !== null;
    const reason = whyUnused(key, now);
    return {
      id: hash,
      name: key.name.trim() || label || "no name",
      detail: list.workspaces.length > 1 ? key.workspace : key.name.trim() === "" ? null : label,
      href: profile === undefined ? `https://openrouter.ai/keys/${encodeURIComponent(hash)}` : addressOf(profile),
      status: key.disabled ? "disabled" : key.expired ? "expired" : level,
      isRunaway: false,
      needsAttention: reason === null && level === "ok" && isSoon(key, now),
      spendable: remaining === null ? null : Math.max(remaining, 0),
      noAmount: "no limit",
      left: hasBar
        ? { name: "key limit", limit: totalLimit, remaining, percentRemaining, colour: barColour(percentRemaining, level) }
        : null,
      noBar: "account’s credit",
      today: usageDaily,
      days: days?.keys[hash] ?? null,
      endsAt: endsAt(key),
      end: (browserNow) => endOf(key, documentNow(dated, browserNow)),
      freshAt: dated.freshAt,
      reason,
    };
  });
}

/** Why it cannot be used; null where it can. */
function whyUnused({ disabled, expired, expiresAt }: AccountKey, now: number): string | null {
  if (disabled) return "disabled";
  return expired && expiresAt !== null ? `expired on ${weekday(expiresAt, now)}` : null;
}

function isSoon({ runsOutAt }: AccountKey, now: number): boolean {
  return runsOutAt !== null && Date.parse(runsOutAt) - now < DAY;
}

/** As `KeyRow` has it. */
function endsAt({ remaining, runsOutAt, totalLimit, perDay }: AccountKey): number | null {
  if (remaining !== null && remaining <= 0) return -Infinity;
  if (runsOutAt !== null) return Date.parse(runsOutAt);
  return totalLimit === null || perDay !== null ? Infinity : null;
}

function endOf(key: AccountKey, now: number): End {
  const { remaining, runsOutAt, resetsAt, expiresAt, level, perDay } = key;
  const expires = expiresAt !== null && Date.parse(expiresAt) - now < EXPIRY_NOTICE ? [`expires ${until(expiresAt, now)}`] : [];
  if (remaining === null) return { text: expires[0] ?? NOT_KNOWN, tone: expires.length > 0 ? "attention" : "plain" };
  const reset = resetsAt === null ? "never resets" : `resets ${near(resetsAt, now)}`;
  if (remaining <= 0) return { text: resetsAt === null ? `used up · ${reset}` : `refused until ${near(resetsAt, now)}`, tone: "bad" };
  const lasts = resetsAt === null ? `lasts · ${reset}` : `lasts until ${near(resetsAt, now)}`;
  const first = runsOutAt !== null ? `runs out ${runOutIn(runsOutAt, now)} · ${reset}` : perDay === null ? reset : lasts;
  const isEarly = runsOutAt !== null && (resetsAt !== null || isSoon(key, now));
  return { text: [first, ...expires].join(" · "), tone: level === "low" ? "bad" : isEarly || expires.length > 0 ? "attention" : "plain" };
}
