// The pace, and when the money runs out.

import type { Held } from "./clock";
import { capitalized, duration, instant, until, usd } from "./format";
import type { Balance, Pace, Rate, Runaway } from "./generated";
import { isFreeOnly, paceName, rateInWords } from "./words";
import { ACCOUNT_CREDIT } from "./scopes";
import { useDocumentNow } from "./ticking";

const BASES: Record<NonNullable<Pace["basis"]>, string> = {
  today: "by today",
  week: "by this week",
  month: "by this month",
  period: "by its period so far",
  history: "by its past weeks",
};

export function PaceCard({ held, rate, runaway }: { held: Held; rate: Rate | null; runaway: Runaway | null }) {
  const { balance } = held;
  const now = useDocumentNow(held);
  return (
    <section class="card" data-testid="pace">
      <h2>Pace</h2>
      <Forecast balance={balance} runaway={runaway} now={now} />
      {rate !== null && balance.level !== "exhausted" && (
        <p class="soft" data-testid="right-now">
          {capitalized(rateInWords(rate, now))}.
        </p>
      )}
    </section>
  );
}

function Forecast({ balance, runaway, now }: { balance: Balance; runaway: Runaway | null; now: number }) {
  const { pace } = balance;
  if (balance.level === "exhausted") return <p class="soft">Nothing is left to spend, at any pace.</p>;
  if (pace === null || pace.perDay === null) return <p class="soft">{whyNone(balance)}</p>;
  const name = paceName(balance);
  const of = name === null ? "" : ` of the ${name}`;
  const by = pace.isUpperBound ? " by this key" : "";
  const basis = pace.basis === null ? null : BASES[pace.basis];
  return (
    <>
      <p class="figure" data-testid="per-day">
        {usd(pace.perDay)} <span class="unit">a day{by}{of}</span>
      </p>
      {basis !== null && <p class="soft">{basis} (UTC)</p>}
      {!isTooLate(pace, runaway) && (
      <dl class="facts lines">
        <RunOut balance={balance} pace={pace} now={now} />
        {pace.affordablePerDay !== null && pace.affordablePerDay > 0 && pace.lastsUntilReset === false && (
          <div>
            <dt>To last</dt>
            <dd data-testid="affordable">until the reset: at most {usd(pace.affordablePerDay)} a day</dd>
          </div>
        )}
        {pace.projectedAtReset !== null && pace.lastsUntilReset !== true && (
          <div>
            <dt>By the reset</dt>
            <dd data-testid="projected">{usd(pace.projectedAtReset)} would be spent in all, if nothing stopped it</dd>
          </div>
        )}
      </dl>
      )}
    </>
  );
}

/** Whether a runaway empties something before anything runs out by the pace of days, which then only misleads. */
function isTooLate(pace: Pace, runaway: Runaway | null): boolean {
  if (runaway === null || runaway.runsOutAt === null) return false;
  return pace.runsOutAt === null || Date.parse(pace.runsOutAt) > Date.parse(runaway.runsOutAt);
}

function whyNone(balance: Balance): string {
  if (balance.account !== null) return "Not known: this key spends nothing, and what others spend is not reported.";
  if (balance.budgets.length > 0) return "Not known: OpenRouter does not report how fast this limit is spent.";
  if (isFreeOnly(balance)) return "This key can run free models only, which cost nothing.";
  return "This key has no limit that could run out. What its account has left is not known.";
}

/** ` of $500.00`, where one budget has the forecast's scope. */
function ofLimit(balance: Balance, pace: Pace): string {
  const budgets = balance.budgets.filter((budget) => budget.scope === pace.scope);
  return budgets.length === 1 ? ` of ${usd(budgets[0]?.limit)}` : "";
}

function RunOut({ balance, pace, now }: { balance: Balance; pace: Pace; now: number }) {
  if (pace.runsOutAt !== null) {
    const between = inBetween(pace, now);
    return (
      <div>
        <dt>Runs out</dt>
        <dd data-testid="runs-out">
          <strong>
            {Date.parse(pace.runsOutAt) > now ? until(pace.runsOutAt, now) : "about now"}
            {pace.isUpperBound && " at the latest"}
          </strong>{" "}
          · {instant(pace.runsOutAt, now)}
          {pace.scope === ACCOUNT_CREDIT && <span class="soft block">unless topped up; others may spend from it, too</span>}
          {between !== null && <span class="soft block">{between}</span>}
        </dd>
      </div>
    );
  }
  const isEndless = pace.lastsUntilReset === null;
  return (
    <div>
      <dt>Lasts</dt>
      <dd data-testid="lasts">
        {isEndless ? "ten years or more" : "until the reset"}
        {!isEndless && pace.projectedAtReset !== null && `, with ${usd(pace.projectedAtReset)}${ofLimit(balance, pace)} spent by then`}
      </dd>
    </div>
  );
}

/** The earliest and the latest run-out; null where they are as good as one. */
function inBetween(pace: Pace, now: number): string | null {
  if (pace.runsOutEarliest === null || pace.runsOutLatest === null) return null;
  const [earliest, latest] = [Date.parse(pace.runsOutEarliest), Date.parse(pace.runsOutLatest)];
  if (latest - earliest < 3_600_000) return null;
  const first = earliest > now ? duration(earliest - now) : "now";
  return `between ${first} and ${duration(Math.max(latest - now, 0))} from now`;
}
