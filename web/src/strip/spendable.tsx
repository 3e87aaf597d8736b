// The number this page is for, and what limits it.

import { Bar } from "../bar";
import type { Held } from "../clock";
import { capitalized, count, percent, resets, usd } from "../format";
import type { Balance, Budget, Runaway } from "../generated";
import { Linked } from "../linked";
import { useDocumentNow } from "../ticking";
import {
  amountInWords,
  barColour,
  budgetLevel,
  budgetName,
  evenPace,
  limitedBy,
  limitingBudget,
  needsAttention,
  type Notice,
  notices,
  runawayInWords,
} from "../words";

export function Spendable({ held, runaway }: { held: Held; runaway: Runaway | null }) {
  const { balance } = held;
  const now = useDocumentNow(held);
  const budget = limitingBudget(balance);
  const name = limitedBy(balance);
  return (
    <div class="cell spendable" data-level={balance.level} data-attention={needsAttention(balance)}>
      <div class="headline">
        <h2 class="soft">Can spend now</h2>
        <span class="level" data-testid="level" data-level={balance.level}>
          {balance.level === "unlimited" ? "no known limit" : balance.level}
        </span>
      </div>
      <p
        class={balance.spendable === null ? "amount word" : "amount"}
        style={{ "--characters": amountInWords(balance).length }}
        data-testid="amount"
      >
        {amountInWords(balance)}
      </p>
      {budget !== null && <Gauge balance={balance} budget={budget} />}
      {budget !== null ? (
        <OfBudget balance={balance} budget={budget} now={now} />
      ) : (
        name !== null && (
          <p class="soft" data-testid="limited-by">
            limited by the {name}
          </p>
        )
      )}
      {runaway !== null && (
        <p class="note red" data-testid="runaway">
          {capitalized(runawayInWords(runaway, now))}.
        </p>
      )}
      {notices(balance, now).map((notice) => (
        <Note key={notice.text} {...notice} />
      ))}
    </div>
  );
}

const HOOKS: Record<Notice["about"], string> = { level: "warning", expiry: "expiry", account: "account-note" };
const STYLES: Record<Notice["importance"], string> = { alarm: "note red", warning: "note amber", plain: "soft" };

function Note({ text, about, importance }: Notice) {
  return (
    <p class={STYLES[importance]} data-testid={HOOKS[about]}>
      <Linked text={text} />
    </p>
  );
}

/** The bar of what limits the key, with marks where the level becomes low and where an even pace would be. */
function Gauge({ balance, budget }: { balance: Balance; budget: Budget }) {
  const threshold = percentThreshold(balance);
  const even = evenPace(balance);
  return (
    <div class="gauge">
      <Bar
        name={budgetName(budget, balance)}
        budget={budget}
        colour={barColour(budget.percentRemaining, budgetLevel(budget, balance))}
        testid="bar"
      />
      {threshold !== null && <i class="mark low" style={{ left: `${threshold}%` }} title={`low below ${threshold}%`} />}
      {even !== null && <i class="mark even" style={{ left: `${balance.pace?.evenPercentRemaining}%` }} title={even} />}
    </div>
  );
}

function OfBudget({ balance, budget, now }: { balance: Balance; budget: Budget; now: number }) {
  const even = evenPace(balance);
  const threshold = percentThreshold(balance);
  return (
    <>
      <p class="soft">
        <strong class="whole" data-testid="percent">
          {percent(budget.percentRemaining, budget.remaining)}
        </strong>{" "}
        left of{" "}
        <span class="whole" data-testid="limit">
          {usd(budget.limit)}
        </span>{" "}
        ·{" "}
        <span class="whole">
          <span data-testid="used">{usd(budget.spent)}</span> used
        </span>
        {budget.remaining < 0 && (
          <>
            {" "}
            ·{" "}
            <span class="whole red">
              <span data-testid="remaining">{usd(-budget.remaining)}</span> overspent
            </span>
          </>
        )}
      </p>
      <p class="soft" data-testid="limited-by">
        limited by the {limitedBy(balance)}
      </p>
      <p class="soft" data-testid="resets">
        {budget.resetPeriod === null && budget.resetsAt === null ? "never resets" : `resets ${resets(budget, now)}`}
      </p>
      {(even !== null || threshold !== null) && (
        <p class="soft keys">
          {threshold !== null && (
            <span>
              <i class="key low" aria-hidden="true" /> low below {threshold}%
            </span>
          )}
          {even !== null && (
            <span data-testid="even-pace" title={even}>
              <i class="key even" aria-hidden="true" /> even pace: {count(balance.pace?.evenPercentRemaining ?? 0)}% left
            </span>
          )}
        </p>
      )}
    </>
  );
}

/** The highest percentage among the thresholds in force; null where none is one. */
function percentThreshold(balance: Balance): number | null {
  const percentages = balance.thresholds.filter((one) => one.endsWith("%")).map(Number.parseFloat);
  const highest = Math.max(...percentages);
  return highest > 0 && highest <= 100 ? highest : null;
}
