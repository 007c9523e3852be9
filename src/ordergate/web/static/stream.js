/**
 * Follows the server: listens first, then takes the snapshot, then applies the events after it; again and again.
 *
 * The stream is read with fetch and not with EventSource, which hides the comment lines: they come every second even
 * among events, and two that do not come mean that nobody is there.
 */

import * as desk from "./desk.js";

// Every second something must be heard; the page must not show a price for more than two seconds after that has ended.
const SILENCE_MS = 1_600;
const LOOK_MS = 200;
const AGAIN_MS = 500;

/** Follow the server for as long as the page is open. */
export async function follow() {
  for (;;) {
    let reason = "the server has closed the connection";
    try {
      await listen();
    } catch (error) {
      if (error instanceof Gap) continue; // the server is there: begin from a snapshot at once
      reason = error instanceof NotReady ? error.message : "the server does not answer";
    }
    desk.statusReason.value = reason;
    if (desk.status.value === "live") desk.status.value = "gone";
    await new Promise((wake) => setTimeout(wake, AGAIN_MS));
  }
}

/** A number is missing: the rows are no longer true. */
class Gap extends Error {}

/** The server says that it cannot tell the present. */
class NotReady extends Error {}

/** One connection, from its beginning to its end. */
async function listen() {
  const abort = new AbortController();
  let heard = performance.now();
  const watch = setInterval(() => {
    if (performance.now() - heard > SILENCE_MS) abort.abort();
  }, LOOK_MS);
  try {
    const response = await fetch("/api/events", { signal: abort.signal });
    if (!response.ok || !response.body) throw new NotReady(`the server answers ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    /** @type {Told[]} */
    const early = [];
    let begun = false;
    const snapshot = fetchSnapshot(abort.signal).then((told) => {
      desk.begin(told);
      begun = true;
      early.splice(0).forEach(take);
      desk.statusReason.value = "";
      desk.status.value = "live";
    });
    snapshot.catch((error) => abort.abort(error));
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard = performance.now();
      const blocks = (text + value).split("\n\n");
      text = blocks.pop() ?? "";
      const told = blocks.map(parse).filter((event) => event !== null);
      if (begun) told.forEach(take);
      else early.push(...told);
    }
  } finally {
    clearInterval(watch);
    abort.abort();
  }
}

/** @typedef {{number: number, name: string, row: any}} Told */

function take(/** @type {Told} */ told) {
  if (!desk.apply(told.number, told.name, told.row)) throw new Gap("an event was missed");
}

/** One block of the stream; null for a comment. */
function parse(/** @type {string} */ block) {
  const told = { number: 0, name: "", row: /** @type {any} */ (null) };
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) told.number = Number(line.slice(4));
    else if (line.startsWith("event: ")) told.name = line.slice(7);
    else if (line.startsWith("data: ")) told.row = JSON.parse(line.slice(6));
  }
  return told.name === "" ? null : told;
}

async function fetchSnapshot(/** @type {AbortSignal} */ signal) {
  const response = await fetch("/api/snapshot", { signal });
  if (!response.ok) throw new NotReady((await response.json()).error);
  return /** @type {import("./rows.js").Snapshot} */ (await response.json());
}
