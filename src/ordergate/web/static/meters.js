/** How near the account is to its limits: a bar with the figures beside it. */

import { signal } from "@preact/signals";
import { ask } from "./ask.js";
import * as desk from "./desk.js";
import { signedUsd, usd } from "./format.js";
import { html } from "./html.js";

// From here on a meter warns: what is left is less than a usual trade.
const NEAR = 0.75;

/** Whether the lockout stands to be confirmed, and what came of asking for it. */
const confirming = signal(false);
const told = signal("");

export function Meters() {
  const account = desk.account.value;
  const limits = desk.desk.value?.limits;
  if (!account || !limits) return null;
  const symbol = desk.chosenSymbol.value;
  const exposure = account.exposures.find((row) => row.instrument === symbol);
  const worst = exposure ? Math.max(exposure.worstLong, -exposure.worstShort) : 0;
  const net = desk.position.value?.netPosition ?? 0;
  const state = account.tradingState;
  return html`
    <section class="panel meters" aria-label="Limits">
      <p class="money"><span>Balance</span> <b>${usd(account.balance)}</b></p>
      <p class="state ${state === "active" && !account.reason ? "good" : "bad"}">
        <b>${state === "active" ? (account.reason ? "✕ NO NEW RISK" : "✓ ACTIVE") : `✕ ${state.toUpperCase()}`}</b>
        ${account.reason && html` <span>${account.reason}</span>`}
      </p>
      <${Meter}
        id="loss"
        name="Daily loss"
        now=${account.dayPnl === null ? null : Math.max(0, -account.dayPnl)}
        worst=${account.dayPnlAtStops === null ? null : Math.max(0, -account.dayPnlAtStops)}
        most=${account.dailyLossLimit}
        text="${signedUsd(account.dayPnl)} of −${usd(account.dailyLossLimit)}"
        worstText=${account.dayPnlAtStops === null ? "at stops: not known" : `at stops ${signedUsd(account.dayPnlAtStops)}`}
      />
      <${Meter}
        id="position"
        name="Position ${symbol}"
        now=${Math.abs(net)}
        worst=${worst}
        most=${limits.maxPositionSize}
        text="${Math.abs(net)} of ${limits.maxPositionSize}"
        worstText=${worst > Math.abs(net) ? `if all fills ${worst}` : ""}
      />
      <${Meter}
        id="open"
        name="Open orders"
        now=${account.openOrders}
        worst=${account.openOrders}
        most=${limits.maxOpenOrders}
        text="${account.openOrders} of ${limits.maxOpenOrders}"
        worstText=""
      />
      ${account.passedOrders > 0 &&
      html`<p class="money" title="orders of other programs: no limit was asked, and they count in yours">
        <span class="near">▶ Passed without limits today</span> <b>${account.passedOrders}</b>
      </p>`}
      <${IfWeDie} account=${account} />
      <${Lockout} account=${account} />
    </section>
  `;
}

/** What is left to lose if the gate's machine dies now, by what rests at the broker; nothing where nothing can be. */
function IfWeDie(/** @type {{account: import("./rows.js").Account}} */ { account }) {
  const { ifWeDie, ifWeDieBounded } = account;
  if (ifWeDie === 0 && ifWeDieBounded) return null;
  return html`
    <div class="meter alone">
      <p><span>If this machine dies now</span> <b>${ifWeDie === null ? "not known" : signedUsd(ifWeDie)}</b></p>
      <p class="quiet"><span class=${ifWeDieBounded ? "" : "near"}>${ifWeDieBounded ? "at the resting stops" : "▲ not bounded by stops that rest"}</span></p>
    </div>
  `;
}

/** The trader's own lockout: two presses, because nothing undoes it. */
function Lockout(/** @type {{account: import("./rows.js").Account}} */ { account }) {
  if (account.tradingState === "locked") return null;
  if (!confirming.value) {
    return html`<p class="lockout">
      <button type="button" onClick=${() => (confirming.value = true)}>Lock me out until tomorrow</button>
      ${told.value && html` <span role="alert">${told.value}</span>`}
    </p>`;
  }
  return html`
    <div class="lockout" role="group" aria-label="Confirm the lockout">
      <p>
        No new risk in ${account.name} until the next trading day opens at 17:00 Chicago time. Nobody can undo it. Exits
        pass; orders that wait to open a position are cancelled.
      </p>
      <button type="button" class="danger" onClick=${() => lockOut(account.accountId)}>Lock me out</button>
      <button type="button" onClick=${() => (confirming.value = false)}>Keep trading</button>
    </div>
  `;
}

async function lockOut(/** @type {number} */ accountId) {
  confirming.value = false;
  const answer = await ask("/api/lockout", { accountId, until: "next-day" });
  told.value = answer.success ? "" : `✕ NOT LOCKED OUT: ${answer.error}`;
}

/**
 * @param {{id: string, name: string, now: number | null, worst: number | null, most: number, text: string,
 *   worstText: string}} props `now` and `worst` in the unit of `most`; null = not known, and shown as full
 */
function Meter({ id, name, now, worst, most, text, worstText }) {
  const share = (/** @type {number | null} */ value) => (value === null ? 1 : Math.min(1, value / most));
  const level = share(now) >= 1 ? "full" : Math.max(share(now), share(worst)) >= NEAR ? "near" : "";
  return html`
    <div class="meter ${level}" id="meter-${id}" role="meter" aria-label=${name} aria-valuemin="0" aria-valuemax=${most}
      aria-valuenow=${now ?? most} aria-valuetext="${text} ${worstText}">
      <p><span>${name}</span> <b>${text}</b></p>
      <div class="bar">
        <i class="worst" style=${{ width: `${share(worst) * 100}%` }}></i>
        <i class="now" style=${{ width: `${share(now) * 100}%` }}></i>
      </div>
      ${worstText && html`<p class="quiet">${level === "full" ? "✕ " : level === "near" ? "▲ " : ""}${worstText}</p>`}
    </div>
  `;
}
