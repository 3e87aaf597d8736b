// Every layer that limits the key, in the order in which OpenRouter enforces them, and the account's credit.

import { ACCOUNT_CREDIT, type Account, type Balance, type Layer } from "./balance";
import { Bar } from "./bar";
import type { Held } from "./clock";
import { capitalized, instant, percent, resetsShortly, scopeInWords, usd } from "./format";
import { barColour, layerLevel, limitingLayer } from "./level";
import { useDocumentNow } from "./ticking";

/** Where the key's own limit is all there is, it stands in the summary and needs no list. */
export function hasLayers(balance: Balance): boolean {
  return balance.budgets.length > 1 || balance.account !== null;
}

export function Layers({ held }: { held: Held }) {
  const { balance } = held;
  const now = useDocumentNow(held);
  const { account } = balance;
  return (
    <section class="card">
      <h2>Every limit</h2>
      <ul class="layers">
        {balance.budgets.map((layer, index) => (
          <LayerRow key={`${layer.scope} ${index}`} layer={layer} balance={balance} now={now} />
        ))}
        {account !== null && <AccountRow account={account} isLimiting={balance.limitedBy === ACCOUNT_CREDIT} />}
      </ul>
    </section>
  );
}

function LayerRow({ layer, balance, now }: { layer: Layer; balance: Balance; now: number }) {
  const name = scopeInWords(layer.scope);
  return (
    <li data-testid={`layer-${layer.scope}`}>
      <div class="row">
        <h3>
          {capitalized(name)}
          {layer === limitingLayer(balance) && <span class="tag">limits</span>}
          {layer.remaining <= 0 && <span class="tag bad">{layer.remaining < 0 ? "overspent" : "spent"}</span>}
        </h3>
        <span class="number">
          <strong>{usd(layer.remaining)}</strong> left of {usd(layer.limit)}
        </span>
      </div>
      <Bar name={name} layer={layer} colour={barColour(layer.percentRemaining, layerLevel(layer, balance))} />
      <div class="row soft">
        <span>
          {percent(layer.percentRemaining, layer.remaining)} left · {usd(layer.spent)} used
        </span>
        <span {...(layer.resetsAt === null ? {} : { title: instant(layer.resetsAt, now) })}>
          resets {resetsShortly(layer, now)}
        </span>
      </div>
    </li>
  );
}

/** The credit has no bar: OpenRouter tells only how much was ever bought, so a share of it means nothing. */
function AccountRow({ account, isLimiting }: { account: Account; isLimiting: boolean }) {
  return (
    <li data-testid={`layer-${ACCOUNT_CREDIT}`}>
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
        <span>never resets</span>
      </div>
    </li>
  );
}
