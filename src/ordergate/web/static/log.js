/** What happened: fills, and decisions with what every breach says. */

import * as desk from "./desk.js";
import { clock, price as priceText, signedUsd, tone } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./rows.js").Order} Order */

const LINES_MAX = 60;

export function Fills() {
  const rows = [...desk.fills.value.values()].filter((row) => row.accountId === desk.chosenAccount.value);
  return html`
    <section class="panel fills" aria-label="Fills">
      <h2>Fills today</h2>
      ${rows.length === 0 && html`<p class="quiet">None yet.</p>`}
      <ul>
        ${rows
          .toReversed()
          .slice(0, LINES_MAX)
          .map(
            (row) => html`<li key=${row.fillId} class=${row.busted ? "busted" : ""}>
              <time>${clock(row.at)}</time>
              <span class=${row.side === "BUY" ? "buy" : "sell"}>${row.side === "BUY" ? "▲" : "▼"} ${row.side} ${row.quantity}</span>
              <b>${row.instrument}</b> ${priceText(row.price, desk.instruments.value.get(row.instrument))}
              <span class="quiet">${row.busted ? "BUSTED" : row.purpose}</span>
              ${row.realizedPnL !== null &&
              html`<b class="end ${tone(row.realizedPnL - row.fee)}" title="less this fill's fee">${signedUsd(row.realizedPnL - row.fee)}</b>`}
            </li>`,
          )}
      </ul>
    </section>
  `;
}

export function Decisions() {
  const rows = [...desk.orders.value.values()].filter((row) => row.accountId === desk.chosenAccount.value);
  return html`
    <section class="panel decisions" aria-label="Decisions">
      <h2>Decisions</h2>
      ${rows.length === 0 && html`<p class="quiet">None yet: each order that is asked for is judged here.</p>`}
      <ul>
        ${rows
          .toReversed()
          .slice(0, LINES_MAX)
          .map((row) => html`<${Decision} key=${row.orderId} row=${row} />`)}
      </ul>
    </section>
  `;
}

function Decision(/** @type {{row: Order}} */ { row }) {
  const isDenied = row.status === "DENIED";
  const level = row.limitPrice ?? row.stopPrice;
  const instrument = desk.instruments.value.get(row.instrument);
  const [tone, verdict] =
    row.source === "EXTERNAL"
      ? ["good", "◆ EXTERNAL"]
      : isDenied
        ? ["bad", "✕ DENIED"]
        : desk.isOverridden(row)
          ? ["near", "▲ OVERRIDDEN"]
          : row.passed
            ? ["near", `▶ PASSED ${row.source}`]
            : ["good", "✓ APPROVED"];
  return html`
    <li title=${row.orderId}>
      <time>${clock(row.timestamps.decided)}</time> <b class=${tone}>${verdict}</b>
      <span>${row.side} ${row.quantity} ${row.instrument} ${row.orderType.toLowerCase()} ${level === null ? "" : priceText(level, instrument)}</span>
      ${!isDenied && html`<span class="quiet">${row.status.replace("_", " ").toLowerCase()}</span>`}
      ${row.reason && html`<p class="quiet">${row.reason}</p>`}
      ${row.breaches.map((breach) => html`<p>${breach.message} <code>${breach.code}</code></p>`)}
    </li>
  `;
}
