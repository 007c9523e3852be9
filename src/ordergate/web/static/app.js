/** The page: its parts and where they stand. */

import { render } from "preact";
import { Alarms } from "./alarms.js";
import { Orders, Positions } from "./book.js";
import { Chart } from "./chart.js";
import * as desk from "./desk.js";
import { price as priceText } from "./format.js";
import { Gone, Header } from "./header.js";
import { html } from "./html.js";
import { Decisions, Fills } from "./log.js";
import { Meters } from "./meters.js";
import { Banners, Switches } from "./modes.js";
import { Session } from "./session.js";
import { follow } from "./stream.js";
import { Ticket } from "./ticket.js";

function Prices() {
  const price = desk.price.value;
  const instrument = desk.instrument.value ?? undefined;
  return html`
    <section class="panel prices" aria-label="Prices" data-old=${!desk.isQuoted.value}>
      <h2>${instrument?.symbol}</h2>
      <p class="sell"><span>Bid</span> <b id="bid">${priceText(price?.bid, instrument)}</b></p>
      <p><span>Last</span> <b id="last">${priceText(price?.last, instrument)}</b></p>
      <p class="buy"><span>Ask</span> <b id="ask">${priceText(price?.ask, instrument)}</b></p>
    </section>
  `;
}

function App() {
  return html`
    <div data-status=${desk.status.value}>
      <${Header} />
      <${Gone} />
      ${desk.desk.value && html`<${Banners} row=${desk.desk.value} />`}
      <main>
        <${Ticket} />
        <div class="middle"><${Prices} /><${Chart} /><${Positions} /><${Orders} /></div>
        <div class="side"><${Alarms} /><${Meters} /><${Session} /><${Switches} /><${Fills} /><${Decisions} /></div>
      </main>
    </div>
  `;
}

const root = document.getElementById("app");
if (root) render(html`<${App} />`, root);
void follow();
