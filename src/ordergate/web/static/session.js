/**
 * What this session stands on, each with what was found: the account, the broker's contracts, prices, the clock, brackets.
 *
 * Must never show as well what was not seen. It is open by itself while something differs.
 */

import * as desk from "./desk.js";
import { html } from "./html.js";

/** What is compared by the connection manager, in the order of the page. */
const COMPARED = ["contracts", "prices", "clock"];
/** @type {Record<string, string>} */
const BRACKETS = {
  auto_oco: "leave with their order (Auto OCO)",
  position: "stops are placed after the fill",
  unknown: "stops are placed after the fill; the API does not show the platform's setting",
};

export function Session() {
  const account = desk.account.value;
  const row = desk.desk.value;
  if (!account || !row) return null;
  const known = new Map(row.checks.map((check) => [check.name, check]));
  const compared = COMPARED.map((name) => known.get(name) ?? { name, text: "not known yet", well: null });
  const checks = [
    { name: "account", text: allowed(account), well: account.canTrade && account.canCancel },
    ...compared,
    { name: "brackets", text: BRACKETS[account.bracketMode] ?? account.bracketMode, well: true },
  ];
  const wrong = checks.filter((check) => check.well === false).length;
  const told = wrong ? `▲ ${wrong} to look at` : checks.every((check) => check.well) ? "✓ as it should be" : "… not all known yet";
  return html`
    <section class="panel session" aria-label="Session">
      <details open=${wrong > 0}>
        <summary>
          Session <span class=${wrong ? "near" : "quiet"}>${told}</span>
        </summary>
        <dl>${checks.map((check) => html`<${Check} key=${check.name} check=${check} />`)}</dl>
      </details>
    </section>
  `;
}

function allowed(/** @type {import("./rows.js").Account} */ { canTrade, canCancel }) {
  if (!canTrade) return "the broker does not let it trade";
  return canCancel ? "may trade and cancel" : "the broker lets it cancel no order";
}

function Check(/** @type {{check: import("./rows.js").Check}} */ { check }) {
  const { name, text, well } = check;
  const [mark, tone] = well === null ? ["…", "quiet"] : well ? ["✓", "good"] : ["▲", "near"];
  return html`<dt class=${tone}><i aria-hidden="true">${mark}</i> ${name}</dt><dd>${text}</dd>`;
}
