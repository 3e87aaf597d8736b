// The account now: its credit, how long that lasts, the key that runs out first, what was spent in 30 days.

import { useDocumentNow } from "../ticking";
import type { Dated } from "../clock";
import { clock, count, instant, inWords, NOT_KNOWN, openEnded, percent, runOutIn, usd } from "../format";
import type { AccountBalance, AccountDocument, AccountKey } from "../generated";
import { Linked } from "../linked";
import { Cell } from "../strip/cell";
import { BASES, between, type Cell as Words, whyLow } from "../words";
import { dayOf } from "../chart/range";
import { price } from "./price";

const DAY = 86_400_000;

export function AccountStrip({ account, held }: { account: AccountDocument; held: Dated }) {
  const now = useDocumentNow(held);
  return (
    <section class="card strip" aria-label="The account now">
      <Credit balance={account.credit} />
      <Said words={lasts(account.credit, now)} hook="account-lasts" />
      <Said words={next(account.next, now, account.complete ? null : account.counts.total)} hook="account-next" />
      <Said words={spent(account, now)} hook="account-spent" />
    </section>
  );
}

function Said({ words: { label, value, lines, tone }, hook }: { words: Words; hook: string }) {
  return <Cell label={label} value={value} lines={lines.map((text) => ({ text }))} tone={tone} hook={hook} />;
}

function Credit({ balance: { credit, creditError, level, lowBecause } }: { balance: AccountBalance }) {
  const text = credit === null ? "not known" : usd(credit.remaining);
  return (
    <div class="cell" data-level={level}>
      <div class="headline">
        <h2 class="soft">Account’s credit</h2>
        {credit !== null && (
          <span class="level" data-level={level}>
            {level}
          </span>
        )}
      </div>
      <p class={credit === null ? "amount word" : "amount"} style={{ "--characters": text.length }} data-testid="account-credit">
        {text}
      </p>
      {credit !== null && (
        <p class="soft">
          {usd(credit.totalUsage)} used of {usd(credit.totalCredits)} ever bought · never resets
        </p>
      )}
      {lowBecause !== null && <p class="note red">{whyLow(lowBecause)}</p>}
      {credit === null && (
        <p class={creditError === null ? "soft" : "note amber"}>
          {creditError === null ? (
            "OpenRouter reports no purchases; it does not report what was granted."
          ) : (
            <Linked text={`${openEnded(creditError)}.`} />
          )}
        </p>
      )}
    </div>
  );
}

/** When the credit runs out, by what the whole account spends. */
export function lasts({ credit, level, pace, fetchedAt }: AccountBalance, now: number): Words {
  const cell = (value: string, lines: string[], tone: Words["tone"] = "plain", label = "Credit lasts"): Words => ({ label, value, lines, tone });
  if (credit === null) return cell("not known", []);
  if (credit.remaining <= 0) {
    const why = credit.remaining < 0 ? "the credit is negative: even free models are refused" : "the credit is used up";
    return cell("credit is bought", [why], "bad", "Refused until");
  }
  if (pace === null || pace.perDay === null) return cell("not known", ["OpenRouter did not tell what the account spends"]);
  const basis = pace.basis === null ? "" : `${BASES[pace.basis]} (UTC)`;
  if (pace.perDay === 0) return cell("while nothing is spent", basis === "" ? [] : [basis]);
  const lines = [`at ${usd(pace.perDay)} a day${basis === "" ? "" : `, ${basis}`}`];
  if (pace.runsOutAt === null) return cell("ten years or more", lines);
  const range = between(pace, now);
  lines.push(instant(pace.runsOutAt, now), ...(range === null ? [] : [range]));
  const isSoon = Date.parse(pace.runsOutAt) - Date.parse(fetchedAt) < DAY;
  return cell(runOutIn(pace.runsOutAt, now), lines, level === "low" ? "bad" : isSoon ? "attention" : "plain", "Credit runs out");
}

/** The key that runs out first, of all that can be used; `soFar`: so many keys are known where there are others, else null. */
export function next(key: AccountKey | null, now: number, soFar: number | null = null): Words {
  const label = "Next key to run out";
  const of = soFar === null ? [] : [`of the ${keysInWords(soFar)} known so far`];
  if (key === null) return { label, value: "none", lines: [...of, "No key runs out before its reset, at its pace."], tone: "plain" };
  const { runsOutAt, remaining, totalLimit, resetPeriod, level } = key;
  const period = resetPeriod === null ? "" : ` ${inWords(resetPeriod)}`;
  const lines = [
    ...of,
    ...(runsOutAt === null ? [] : [runOutIn(runsOutAt, now), instant(runsOutAt, now)]),
    ...(remaining === null ? [] : [`${usd(Math.max(remaining, 0))} left of ${usd(totalLimit)}${period}`]),
  ];
  const isSoon = runsOutAt !== null && Date.parse(runsOutAt) - now < DAY;
  const isLow = level === "low" || level === "exhausted";
  return { label, value: nameOfKey(key), lines, tone: isLow ? "bad" : isSoon ? "attention" : "plain" };
}

/** `150 keys` */
export function keysInWords(number: number): string {
  return `${count(number)} key${number === 1 ? "" : "s"}`;
}

const LONGEST_NAME = 48;

/** Its name, or what stands in its place; not longer than a cell has room for. */
export function nameOfKey({ name, label }: Pick<AccountKey, "name" | "label">): string {
  return cut(name.trim() || label || "no name");
}

export function cut(name: string, most = LONGEST_NAME): string {
  const characters = Array.from(name);
  return characters.length <= most ? name : `${characters.slice(0, most - 1).join("")}…`;
}

/** What the account spent in the last 30 days, and where these numbers end. */
export function spent({ spent: known, spentError, source, through }: AccountDocument, now: number): Words {
  const label = "Spent, last 30 days";
  if (known === null) {
    return { label, value: NOT_KNOWN, lines: [spentError ?? "Asking OpenRouter…"], tone: "plain" };
  }
  const each = known.perRequest === null ? "" : ` · ${price(known.perRequest)} each`;
  const lines = [
    ...(known.requests === null ? [] : [`${count(known.requests)} requests${each}`]),
    changed(known.usd, known.before),
    ...(through === null ? [] : [throughInWords(through, source === "activity", now)]),
    ...(spentError === null ? [] : [`not renewed: ${openEnded(spentError)}`]),
  ];
  return { label, value: usd(known.usd), lines, tone: "plain" };
}

/** `12.5% more than in the 30 days before` */
function changed(now: number, before: number | null): string {
  if (before === null) return `the 30 days before: ${NOT_KNOWN}`;
  if (usd(now) === usd(before)) return "as much as in the 30 days before";
  if (before <= 0) return "nothing in the 30 days before";
  const change = percent((Math.abs(now - before) / before) * 100, null);
  return `${change} ${now > before ? "more" : "less"} than in the 30 days before`;
}

/** Where numbers end: `through 15:00`, `through yesterday (UTC)`, `through 18 Nov (UTC)`. */
export function throughInWords(through: string, isOfDays: boolean, now: number): string {
  const end = Date.parse(through);
  if (!isOfDays) {
    const date = new Date(end);
    const isToday = date.toDateString() === new Date(now).toDateString();
    return `through ${isToday ? "" : `${dayOf(date, undefined)}, `}${clock(date, false)}`;
  }
  const isYesterday = end === now - (now % DAY);
  return `through ${isYesterday ? "yesterday" : dayOf(new Date(end - 1), "UTC")} (UTC)`;
}
