/**
 * What somebody should look at: the open alarms, seen by a press, and heard until they are.
 *
 * Invariants:
 * 1. An alarm goes when it was seen and is over, and then only: the server says when.
 * 2. A critical one that nobody has seen sounds again and again, and so does a gate that is gone; a warning sounds once.
 * 3. Where the browser keeps a page silent until it is pressed, the page says so.
 */

import { effect, signal } from "@preact/signals";
import { ask } from "./ask.js";
import * as desk from "./desk.js";
import { clock } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./rows.js").Alarm} Alarm */

const SHAPES = { critical: "✕", warning: "▲", info: "●" };
const URGENCY = ["critical", "warning", "info"];
const QUIET = "ordergate.quiet";
const AGAIN_MS = 4_000;
// Hertz and seconds: two high tones, or one that is lower.
const TONES = { critical: [880, 660, 880, 660], warning: [520] };
const TONE_S = 0.16;

const told = signal("");
/** Whether the person has switched the sound off, and whether the browser lets this page sound. */
const quiet = signal(localStorage.getItem(QUIET) === "yes");
const audible = signal(false);

/** @type {AudioContext | null} */
let audio = null;

export function Alarms() {
  const rows = [...desk.alarms.value.values()].sort(
    (a, b) => URGENCY.indexOf(a.level) - URGENCY.indexOf(b.level) || b.number - a.number,
  );
  if (rows.length === 0) return null;
  const unseen = rows.filter((row) => !row.acknowledged);
  return html`
    <section class="panel alarms" aria-label="Alarms">
      <h2>
        Alarms
        ${unseen.length > 0 && html`<button type="button" onClick=${() => seen(unseen)}>All seen</button>`}
        <${Sound} />
      </h2>
      ${told.value && html`<p class="bad" role="alert">${told.value}</p>`}
      <ul role="log">
        ${rows.map((row) => html`<${Row} key=${row.alarmId} row=${row} />`)}
      </ul>
    </section>
  `;
}

function Row(/** @type {{row: Alarm}} */ { row }) {
  const about = [row.instrument, row.accountId !== null && desk.accounts.value.get(row.accountId)?.name];
  return html`<li class=${row.level} data-seen=${row.acknowledged} data-stands=${row.stands}>
    <p>
      ${row.at && html`<time datetime=${row.at}>${clock(row.at)}</time>`}
      <b><i aria-hidden="true">${SHAPES[row.level]}</i> ${row.code.replaceAll("_", " ").toLowerCase()}</b>
      ${row.count > 1 && html`<span title=${`first at ${row.firstAt ? clock(row.firstAt) : "?"}`}>×${row.count}</span>`}
      <span class="quiet">${about.filter(Boolean).join(" · ")}</span>
      <span class="state">${row.stands ? "still so" : "over"}${row.acknowledged ? ", seen" : ""}</span>
    </p>
    <p>${row.message}</p>
    ${!row.acknowledged && html`<button type="button" aria-label=${`Seen: ${row.code}`} onClick=${() => seen([row])}>Seen</button>`}
  </li>`;
}

function Sound() {
  const name = quiet.value ? "Sound is off" : audible.value ? "Sound is on" : "Press for sound";
  return html`<button type="button" class="sound" aria-pressed=${!quiet.value && audible.value} onClick=${press}>
    ${quiet.value ? "○" : audible.value ? "◉" : "◎"} ${name}
  </button>`;
}

function press() {
  if (audible.value || quiet.value) quiet.value = !quiet.value;
  void unlock();
}

async function seen(/** @type {Alarm[]} */ rows) {
  const answer = await ask("/api/alarms/acknowledge", { numbers: rows.map((row) => row.number) });
  told.value = answer.success ? "" : `✕ ${answer.error}`;
}

/** Browsers let a page sound once it was pressed. */
async function unlock() {
  audio ??= new AudioContext();
  await audio.resume();
  audible.value = audio.state === "running";
}

function sound(/** @type {"critical" | "warning"} */ level) {
  if (quiet.value || audio === null || audio.state !== "running") return;
  document.documentElement.dataset.sounded = String(Number(document.documentElement.dataset.sounded ?? 0) + 1);
  TONES[level].forEach((hertz, place) => {
    if (audio === null) return;
    const begins = audio.currentTime + place * TONE_S;
    const tone = new OscillatorNode(audio, { frequency: hertz, type: "square" });
    const loudness = new GainNode(audio, { gain: 0.08 });
    tone.connect(loudness).connect(audio.destination);
    tone.start(begins);
    tone.stop(begins + TONE_S * 0.9);
  });
}

/** The number of the newest warning that has sounded. */
let soundedTo = 0;
let isUrgent = false;

effect(() => {
  const unseen = [...desk.alarms.value.values()].filter((row) => !row.acknowledged);
  const warned = Math.max(0, ...unseen.filter((row) => row.level === "warning").map((row) => row.number));
  const wasUrgent = isUrgent;
  isUrgent = desk.status.value === "gone" || unseen.some((row) => row.level === "critical");
  if (isUrgent && !wasUrgent) sound("critical");
  else if (warned > soundedTo) sound("warning");
  soundedTo = Math.max(soundedTo, warned);
});
setInterval(() => {
  if (isUrgent) sound("critical");
}, AGAIN_MS);
effect(() => localStorage.setItem(QUIET, quiet.value ? "yes" : "no"));
addEventListener("pointerdown", () => void unlock(), { once: true });
addEventListener("keydown", () => void unlock(), { once: true });
