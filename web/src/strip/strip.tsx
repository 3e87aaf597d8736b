// The strip: how much, until when, is that normal, and what was spent.

import type { Held } from "../clock";
import { NOT_KNOWN, usd } from "../format";
import type { Balance, Rate, Runaway } from "../generated";
import { useDocumentNow } from "../ticking";
import { AT_THE_EARLIEST, expiryCell, paceCell, untilCell } from "../words";
import { Cell } from "./cell";
import { Spendable } from "./spendable";

interface Shown {
  held: Held;
  /** Null while nothing is known of it, and on old numbers. */
  rate: Rate | null;
  runaway: Runaway | null;
}

export function Strip({ held, rate, runaway }: Shown) {
  const { balance } = held;
  return (
    <section class="card strip" aria-label="The key now">
      <Spendable held={held} runaway={runaway} />
      <Until held={held} runaway={runaway} />
      <Pace held={held} rate={rate} />
      <Usage balance={balance} />
    </section>
  );
}

const HOOKS: Record<string, string> = { "Runs out": "runs-out", Lasts: "lasts", "Key expires": "key-expires" };

const A_DAY = "a day";
const AT_THE_LATEST = " at the latest";

function Until({ held, runaway }: Pick<Shown, "held" | "runaway">) {
  const now = useDocumentNow(held);
  const { label, value, lines, tone } = expiryCell(held.balance, runaway, now) ?? untilCell(held.balance, runaway, now);
  const isBound = value.endsWith(AT_THE_LATEST);
  return (
    <Cell
      label={label}
      value={isBound ? value.slice(0, -AT_THE_LATEST.length) : value}
      unit={isBound ? AT_THE_LATEST.trim() : ""}
      lines={lines.map((text) => ({ text, isWarning: text.startsWith(AT_THE_EARLIEST) }))}
      tone={tone}
      hook={HOOKS[label] ?? "refused-until"}
    />
  );
}

function Pace({ held, rate }: Pick<Shown, "held" | "rate">) {
  const { value, unit, basis, rightNow, toLast, upTo } = paceCell(held.balance, rate, useDocumentNow(held));
  // `a day of the member budget` is too long to stand beside the amount.
  const of = unit.slice(A_DAY.length).trim();
  const known = [of, basis].filter((part) => part !== "").join(", ");
  const lines = [
    ...(known === "" ? [] : [{ text: known }]),
    ...(rightNow === null ? [] : [{ text: rightNow, hook: "right-now" }]),
    ...(toLast === null ? [] : [{ text: toLast, hook: "affordable" }]),
    ...(upTo === null ? [] : [{ text: upTo }]),
  ];
  return <Cell label="Pace" value={value ?? NOT_KNOWN} unit={unit === "" ? "" : A_DAY} lines={lines} hook="per-day" />;
}

function Usage({ balance }: { balance: Balance }) {
  const spans: [string, string, number | null][] = [
    ["This week", "weekly", balance.usageWeekly],
    ["This month", "monthly", balance.usageMonthly],
    ["All-time", "all-time", balance.usage],
  ];
  return (
    <div class="cell">
      <h2 class="soft">
        Today <span class="unit">(UTC)</span>
      </h2>
      <p class="value" data-testid="usage-daily">
        {usd(balance.usageDaily)}
      </p>
      <dl class="spans soft">
        {spans.map(([label, period, amount]) => (
          <div key={period}>
            <dt>{label}</dt>
            <dd class="number" data-testid={`usage-${period}`}>
              {usd(amount)}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
