/** The top of the page: what this desk is, whether it can be trusted now, the day's money, and the ways out. */

import { signal } from "@preact/signals";
import { ask } from "./ask.js";
import * as desk from "./desk.js";
import { signedUsd, tone } from "./format.js";
import { html } from "./html.js";
import { Badges } from "./modes.js";

/** What came of the last way out that was taken. */
const told = signal("");
const leaving = signal("");

/** That the page is not live, and what to do meanwhile. */
export function Gone() {
  if (desk.status.value === "live") return null;
  if (desk.status.value === "connecting") return html`<p class="banner" role="status">Connecting to the server …</p>`;
  return html`<p class="banner danger" role="alert">
    NOT CONNECTED: ${desk.statusReason.value}. What stands here is old. Stops and targets rest at the broker; to get out
    now, use the broker's own page or phone.
  </p>`;
}

export function Header() {
  const account = desk.account.value;
  const row = desk.desk.value;
  return html`
    <header>
      <h1>ordergate</h1>
      ${row && html`<${Badges} row=${row} />`}
      <label class="account">
        <span>Account</span>
        <select
          id="account"
          value=${String(desk.chosenAccount.value)}
          onChange=${(/** @type {any} */ event) => (desk.chosenAccount.value = Number(event.target.value))}
        >
          ${[...desk.accounts.value.values()].map(
            (one) => html`<option value=${String(one.accountId)}>${one.name}</option>`,
          )}
        </select>
      </label>
      <${Lights} />
      <div class="day live">
        <span>Day, net</span>
        <b id="day-pnl" class=${tone(account?.dayPnl)}>${signedUsd(account?.dayPnl)}</b>
      </div>
      <div class="out">
        <button type="button" class="cancel-all" disabled=${leaving.value === "cancel"} onClick=${() => leave("cancel")}>
          Cancel orders
        </button>
        <button type="button" class="flatten" disabled=${leaving.value === "flatten"} onClick=${() => leave("flatten")}>
          ${leaving.value === "flatten" ? "Flattening …" : "Flatten"}
        </button>
        <span class="told" role="status" aria-live="assertive">${told.value}</span>
      </div>
    </header>
  `;
}

/** Flatten or cancel everything of the chosen account. Never held back by what the page believes. */
async function leave(/** @type {"flatten" | "cancel"} */ way) {
  leaving.value = way;
  told.value = "";
  const answer = await ask(way === "flatten" ? "/api/flatten" : "/api/cancel-all", {
    accountId: desk.chosenAccount.value ?? "all",
  });
  leaving.value = "";
  if (!answer.success) told.value = `✕ ${answer.error}`;
  else if (way === "cancel") told.value = "✓ asked to cancel";
  else if (!answer.finished) told.value = "… still closing: watch the position";
  else told.value = answer.flat ? "✓ flat" : "✕ NOT FLAT: look at the broker";
}

/** Each link of the chain, as a shape and a word; the colour only repeats them. */
function Lights() {
  const isLive = desk.status.value === "live";
  const row = desk.desk.value;
  return html`
    <ul class="lights" aria-label="Connections">
      <${Light} name="Gate" good=${isLive} why=${desk.statusReason.value} />
      <${Light} name="Broker" good=${isLive && row?.linkUp === true} why=${row?.linkReason ?? ""} />
      <${Light} name="Prices" good=${desk.isQuoted.value} why="no fresh price of this instrument" />
    </ul>
  `;
}

function Light(/** @type {{name: string, good: boolean, why: string}} */ { name, good, why }) {
  return html`<li class=${good ? "good" : "bad"} title=${good ? "connected" : why}>
    <i aria-hidden="true">${good ? "●" : "✕"}</i> ${name}<span class="unseen">: ${good ? "up" : "down"}</span>
  </li>`;
}
