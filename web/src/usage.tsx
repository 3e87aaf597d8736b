// What the key spent today, this week, this month and in all; bring-your-own-key and free models only if there is any use.

import { count, usd } from "./format";
import type { Balance } from "./generated";

interface Amounts {
  usage: number | null;
  usageDaily: number | null;
  usageWeekly: number | null;
  usageMonthly: number | null;
}

function Tiles({ amounts, name }: { amounts: Amounts; name: string }) {
  const tiles: [string, string, number | null][] = [
    ["Today", "daily", amounts.usageDaily],
    ["This week", "weekly", amounts.usageWeekly],
    ["This month", "monthly", amounts.usageMonthly],
    ["All-time", "all-time", amounts.usage],
  ];
  return (
    <dl class="tiles">
      {tiles.map(([label, period, amount]) => (
        <div key={period}>
          <dt>{label}</dt>
          <dd data-testid={`${name}-${period}`}>{usd(amount)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Usage({ balance }: { balance: Balance }) {
  return (
    <section class="card">
      <h2>
        Usage <span class="soft">days, weeks and months in UTC</span>
      </h2>
      <Tiles amounts={balance} name="usage" />
    </section>
  );
}

export function Byok({ balance }: { balance: Balance }) {
  const { byok } = balance;
  if (byok === null || ![byok.usage, byok.usageDaily, byok.usageWeekly, byok.usageMonthly].some(Boolean)) return null;
  return (
    <section class="card whole" data-testid="byok">
      <h2>
        Bring your own key <span class="soft">spend on models that run on keys of your own</span>
      </h2>
      <Tiles amounts={byok} name="byok" />
      {byok.includedInLimit !== null && (
        <p class="soft">
          {byok.includedInLimit ? "It counts against the key limit." : "It does not count against the key limit."}
        </p>
      )}
    </section>
  );
}

export function FreeRequests({ balance }: { balance: Balance }) {
  const free = balance.freeRequests;
  if (free === null || free.used === null || free.used === 0) return null;
  const used = free.limit === null ? count(free.used) : `${count(free.used)} of ${count(free.limit)}`;
  return (
    <section class="card whole slim" data-testid="free-requests">
      <h2>Free models</h2>
      <p>
        {used} requests today (UTC)
        {free.remaining !== null && ` · ${count(free.remaining)} left`}
      </p>
    </section>
  );
}
