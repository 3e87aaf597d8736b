// The number this page is for, what limits it, and the key's own limit below it.

import { Bar } from "./bar";
import { hasBudgets } from "./budgets";
import { age, type Held } from "./clock";
import { ago, capitalized, percent, resets, timeOfDay, usd, zone } from "./format";
import type { Balance, Budget } from "./generated";
import { accountNote, amountInWords, barColour, budgetLevel, budgetName, expiry, limitedBy, needsAttention, warning } from "./words";
import { useDocumentNow, useNow } from "./ticking";

export function Summary({ held, budget }: { held: Held; budget: Budget | null }) {
  const { balance } = held;
  const now = useDocumentNow(held);
  const alarm = warning(balance, now);
  const end = expiry(balance, now);
  const note = accountNote(balance, now);
  const name = limitedBy(balance);
  return (
    <section class="card summary" data-level={balance.level} data-attention={needsAttention(balance)}>
      <div class="headline">
        <h2>Can spend</h2>
        <span class="level" data-testid="level" data-level={balance.level}>
          {balance.level === "unlimited" ? "no known limit" : balance.level}
        </span>
      </div>
      <p class={balance.spendable === null ? "amount word" : "amount"} data-testid="amount">
        {amountInWords(balance)}
      </p>
      {name !== null && (
        <p class="soft" data-testid="limited-by">
          limited by the {name}
        </p>
      )}
      {alarm !== null && (
        <p class={balance.level === "exhausted" ? "notice-line bad" : "notice-line"} data-testid="warning">
          {alarm}
        </p>
      )}
      {end !== null && (
        <p class={end.isOver ? "notice-line bad" : "notice-line"} data-testid="expiry">
          {end.text}
        </p>
      )}
      {note !== null && (
        <p class="soft" data-testid="account-note">
          {note.endsWith(".") ? note : `${note}.`}
        </p>
      )}
      {budget !== null && <OwnLimit balance={balance} budget={budget} now={now} />}
      <Updated held={held} />
    </section>
  );
}

function OwnLimit({ balance, budget, now }: { balance: Balance; budget: Budget; now: number }) {
  const isOnly = !hasBudgets(balance);
  return (
    <div class="own-limit" {...(isOnly ? { "data-testid": `budget-${budget.scope}` } : {})}>
      <h3>{capitalized(budgetName(budget, balance))}</h3>
      <Bar
        name={budgetName(budget, balance)}
        budget={budget}
        colour={barColour(budget.percentRemaining, budgetLevel(budget, balance))}
        testid="bar"
      />
      <dl class="facts">
        <div>
          <dt>Limit</dt>
          <dd data-testid="limit">{usd(budget.limit)}</dd>
        </div>
        <div>
          <dt>Used</dt>
          <dd data-testid="used">{usd(budget.spent)}</dd>
        </div>
        <div>
          <dt>Remaining</dt>
          <dd>
            <span data-testid="remaining">{usd(budget.remaining)}</span>
            {budget.remaining < 0 && <span class="bad-ink"> overspent</span>}
          </dd>
        </div>
        <div>
          <dt>Left</dt>
          <dd data-testid="percent">{percent(budget.percentRemaining, budget.remaining)}</dd>
        </div>
        <div class="wide">
          <dt>Resets</dt>
          <dd data-testid="resets">{resets(budget, now)}</dd>
        </div>
      </dl>
    </div>
  );
}

function Updated({ held }: { held: Held }) {
  const passed = age(held, useNow());
  const { fetchedAt } = held.balance;
  const date = new Date(fetchedAt);
  return (
    <p class="updated soft" data-testid="updated">
      Updated{" "}
      <time dateTime={fetchedAt}>
        {timeOfDay(fetchedAt, date.getTime() + passed)} {zone(date)}
      </time>{" "}
      · {ago(passed)}
    </p>
  );
}
