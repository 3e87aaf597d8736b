// Bring-your-own-key spend and requests to free models, where there are any.

import { count, usd } from "./format";
import type { Balance } from "./generated";

export function hasByok({ byok }: Balance): boolean {
  return byok !== null && [byok.usage, byok.usageDaily, byok.usageWeekly, byok.usageMonthly].some(Boolean);
}

export function hasFreeRequests({ freeRequests }: Balance): boolean {
  return freeRequests !== null && freeRequests.used !== null && freeRequests.used > 0;
}

export function Byok({ balance }: { balance: Balance }) {
  const { byok } = balance;
  if (byok === null) return null;
  const spans: [string, string, number | null][] = [
    ["Today", "daily", byok.usageDaily],
    ["This week", "weekly", byok.usageWeekly],
    ["This month", "monthly", byok.usageMonthly],
    ["All-time", "all-time", byok.usage],
  ];
  return (
    <section class="card extra" data-testid="byok">
      <h2>Bring your own key</h2>
      <dl class="spans">
        {spans.map(([label, period, amount]) => (
          <div key={period}>
            <dt class="soft">{label}</dt>
            <dd class="number" data-testid={`byok-${period}`}>
              {usd(amount)}
            </dd>
          </div>
        ))}
      </dl>
      <p class="soft">
        {byok.includedInLimit === null
          ? "Spend on models that run on keys of your own (UTC)."
          : `Spend on models that run on keys of your own (UTC) ${byok.includedInLimit ? "counts" : "does not count"} against the key limit.`}
      </p>
    </section>
  );
}

export function FreeRequests({ balance }: { balance: Balance }) {
  const free = balance.freeRequests;
  if (free === null || free.used === null) return null;
  const used = free.limit === null ? count(free.used) : `${count(free.used)} of ${count(free.limit)}`;
  return (
    <section class="card extra" data-testid="free-requests">
      <h2>Free models</h2>
      <p>
        {used} requests today (UTC)
        {free.remaining !== null && ` · ${count(free.remaining)} left`}
      </p>
    </section>
  );
}
