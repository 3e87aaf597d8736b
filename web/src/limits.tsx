// Every limit of the key, the first to run out first, and the account's credit.

import { Bar } from "./bar";
import type { Held } from "./clock";
import { capitalized, instant, percent, resetsShortly, usd } from "./format";
import type { Account, Balance, Budget } from "./generated";
import { firstToRunOut, limitRunOut, whyNoCredit } from "./limit-words";
import { ACCOUNT_CREDIT } from "./scopes";
import { useDocumentNow } from "./ticking";
import { barColour, budgetLevel, budgetName } from "./words";

export function Limits({ held }: { held: Held }) {
  const { balance } = held;
  const now = useDocumentNow(held);
  const { account } = balance;
  const budgets = firstToRunOut(balance.budgets);
  const whyNot = whyNoCredit(balance);
  if (budgets.length === 0 && account === null) {
    return (
      <section class="card limits">
        <h2>Every limit</h2>
        <p class="soft">No budget limits this key, and the account’s credit is not known.</p>
      </section>
    );
  }
  return (
    <section class="card limits">
      <h2>
        Every limit {budgets.length > 1 && <span class="soft">the first to run out comes first</span>}
      </h2>
      {/* The roles stay where a narrow window shows the rows as blocks. */}
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            <Heading>Limit</Heading>
            <Heading isNumber>Left</Heading>
            <Heading> </Heading>
            <Heading isNumber>Used</Heading>
            <Heading>Resets</Heading>
            <Heading>Runs out</Heading>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {budgets.map((budget) => (
            <BudgetRow key={`${budget.scope} ${balance.budgets.indexOf(budget)}`} budget={budget} balance={balance} now={now} />
          ))}
          {account !== null && <AccountRow account={account} balance={balance} now={now} />}
        </tbody>
      </table>
      {whyNot !== null && <p class="soft">The account’s credit is {whyNot}.</p>}
    </section>
  );
}

function Heading({ children, isNumber }: { children: string; isNumber?: boolean }) {
  return (
    <th scope="col" role="columnheader" class={isNumber === true ? "number" : ""}>
      {children.trim() === "" ? <span class="unseen">Part left</span> : children}
    </th>
  );
}

function BudgetRow({ budget, balance, now }: { budget: Budget; balance: Balance; now: number }) {
  const name = budgetName(budget, balance);
  return (
    <tr role="row" data-testid={`budget-${budget.scope}`}>
      <th scope="row" role="rowheader">
        <Piece text={capitalized(name)} />
        {budget.isLimiting && <span class="tag">limits</span>}
      </th>
      <td role="cell" class="number left">
        {usd(budget.remaining)}
      </td>
      <td role="cell" class="part">
        <div>
          <Bar name={name} budget={budget} colour={barColour(budget.percentRemaining, budgetLevel(budget, balance))} />
          <span class="number">{percent(budget.percentRemaining, budget.remaining)}</span>
        </div>
      </td>
      <td role="cell" class="number used">
        {usd(budget.spent)} <span class="soft whole">of {usd(budget.limit)}</span>
      </td>
      <td role="cell" class="resets" {...(budget.resetsAt === null ? {} : { title: instant(budget.resetsAt, now) })}>
        <Parted text={resetsShortly(budget, now)} />
      </td>
      <End limit={budget} balance={balance} now={now} />
    </tr>
  );
}

/** The credit has no bar: OpenRouter reports only how much was ever bought, so a percentage would mean nothing. */
function AccountRow({ account, balance, now }: { account: Account; balance: Balance; now: number }) {
  return (
    <tr role="row" data-testid={`budget-${ACCOUNT_CREDIT}`}>
      <th scope="row" role="rowheader">
        <Piece text="Account’s credit" />
        {balance.limitedBy === ACCOUNT_CREDIT && <span class="tag">limits</span>}
      </th>
      <td role="cell" class="number left">
        {usd(account.remaining)}
      </td>
      <td role="cell" class="part soft">
        prepaid
      </td>
      <td role="cell" class="number used">
        {usd(account.totalUsage)} <span class="soft">
          <span class="whole">of {usd(account.totalCredits)}</span> ever bought
        </span>
      </td>
      <td role="cell" class="resets">
        never
      </td>
      <End limit={account} balance={balance} now={now} />
    </tr>
  );
}

/** Broken after its comma only: `monthly, in 4 d 23 h`. */
function Parted({ text }: { text: string }) {
  const at = text.indexOf(", ") + 1;
  return (
    <>
      {at > 0 && <Piece text={text.slice(0, at)} />}
      {at > 0 && " "}
      <Piece text={text.slice(at).trimStart()} />
    </>
  );
}

/** On one line where there is room for it; OpenRouter's words may be longer than any room. */
function Piece({ text }: { text: string }) {
  return <span class="piece">{text}</span>;
}

/** Red where nothing or little is left, amber where it runs out before its reset. */
function End({ limit, balance, now }: { limit: Budget | Account; balance: Balance; now: number }) {
  const level = "limit" in limit ? budgetLevel(limit, balance) : balance.limitedBy === ACCOUNT_CREDIT ? balance.level : "ok";
  const isLow = limit.remaining <= 0 || (limit.runsOutAt !== null && level === "low");
  const colour = isLow ? " red" : limit.runsOutAt !== null && "limit" in limit && limit.resetsAt !== null ? " amber" : "";
  return (
    <td role="cell" class={`end${colour}`}>
      {limit.runsOutAt !== null && limit.remaining > 0 && <span class="only-narrow">runs out </span>}
      {limitRunOut(limit, balance, now)}
    </td>
  );
}
