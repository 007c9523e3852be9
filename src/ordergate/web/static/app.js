// The page's beginning: it says whether the gate is there.

import { signal } from "@preact/signals";
import htm from "htm";
import { h, render } from "preact";

const html = htm.bind(h);
const status = signal("asking");

function Desk() {
  return html`<main><h1>ordergate</h1><p>The gate is ${status}.</p></main>`;
}

render(html`<${Desk} />`, document.body);
/** @type {{ status: string }} */
const health = await (await fetch("/health")).json();
status.value = health.status;
