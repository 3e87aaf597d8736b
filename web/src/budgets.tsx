// Every budget that limits the key, in the order in which OpenRouter enforces them, and the account's credit.

import { Bar } from "./bar";
import type { Held } from "./clock";
import { capitalized, instant, percent, resetsShortly, until, usd } from "./format";
import type { Account, Balance, Budget } from "./generated";
import { barColour, budgetLevel, budgetName } from "./words";
import { ACCOUNT_CREDIT, KEY_LIMIT } from "./scopes";
import { useDocumentNow } from "./ticking";

/** The summary shows the key's own limit; where that is the only budget, there is no list. */
export function hasBudgets(balance: Balance): boolean {
  return balance.budgets.length > 1 || balance.account !== null;
}

export function Budgets({ held }: { held: Held }) {
  const { balance } = held;
  const now = useDocumentNow(held);
  const { account } = balance;
  return (
    <section class="card">
      <h2>Every limit</h2>
      <ul class="budgets">
        {balance.budgets.map((budget, index) => (
          <BudgetRow key={`${budget.scope} ${index}`} budget={budget} balance={balance} now={now} />
        ))}
        {account !== null && <AccountRow account={account} balance={balance} now={now} />}
      </ul>
    </section>
  );
}

function BudgetRow({ budget, balance, now }: { budget: Budget; balance: Balance; now: number }) {
  const name = budgetName(budget, balance);
  return (
    <li data-testid={`budget-${budget.scope}`}>
      <div class="row">
        <h3>
          {capitalized(name)}
          {budget.isLimiting && <span class="tag">limits</span>}
          {budget.remaining <= 0 && <span class="tag bad">{budget.remaining < 0 ? "overspent" : "spent"}</span>}
        </h3>
        <span class="number">
          <strong>{usd(budget.remaining)}</strong> left of {usd(budget.limit)}
        </span>
      </div>
      <Bar name={name} budget={budget} colour={barColour(budget.percentRemaining, budgetLevel(budget, balance))} />
      <div class="row soft">
        <span>
          {percent(budget.percentRemaining, budget.remaining)} left · {usd(budget.spent)} used
        </span>
        <span {...(budget.resetsAt === null ? {} : { title: instant(budget.resetsAt, now) })}>
          {budget.runsOutAt !== null && budget.remaining > 0 && `runs out ${until(budget.runsOutAt, now)}${isShared(budget) ? " at the latest" : ""} · `}
          resets {resetsShortly(budget, now)}
        </span>
      </div>
    </li>
  );
}

const OWN_SCOPES = new Set([KEY_LIMIT, "api_key", "workspace_default_key"]);
const PERIODS = new Set<string | null>(["daily", "weekly", "monthly"]);

/** Whether others spend from it, too, by an amount that is not known: without a period OpenRouter does not say how fast. */
function isShared(budget: Budget): boolean {
  return !OWN_SCOPES.has(budget.scope) && !PERIODS.has(budget.resetPeriod);
}

/** The credit has no bar: OpenRouter reports only how much was ever bought, so a percentage would mean nothing. */
function AccountRow({ account, balance, now }: { account: Account; balance: Balance; now: number }) {
  const isLimiting = balance.limitedBy === ACCOUNT_CREDIT;
  const runsOutAt = balance.pace?.scope === ACCOUNT_CREDIT && account.remaining > 0 ? balance.pace.runsOutAt : null;
  return (
    <li data-testid={`budget-${ACCOUNT_CREDIT}`}>
      <div class="row">
        <h3>
          Account's credit
          {isLimiting && <span class="tag">limits</span>}
          {account.remaining <= 0 && <span class="tag bad">{account.remaining < 0 ? "overspent" : "used up"}</span>}
        </h3>
        <span class="number">
          <strong>{usd(account.remaining)}</strong> left
        </span>
      </div>
      <div class="row soft">
        <span>
          {usd(account.totalUsage)} used of {usd(account.totalCredits)} ever bought
        </span>
        <span>{runsOutAt !== null && `runs out ${until(runsOutAt, now)} at the latest · `}never resets</span>
      </div>
    </li>
  );
}
