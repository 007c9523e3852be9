/**
 * One intent, one order: the id of an order is made here, before anything leaves, and is what makes a second asking
 * the same order.
 *
 * Invariants:
 * 1. An order of which it is not known what became of it is asked for again under its own id, from whichever tab.
 * 2. The same order within `DOUBLE_MS` is the same intent: a double click, a key that bounces, two tabs.
 * 3. After that, an order that was answered is done with: asking for it again is another order.
 */

const STORE = "ordergate.intents";
// Longer than the slowest double click of any platform (Windows: 900 ms), shorter than meaning it twice.
const DOUBLE_MS = 1_000;
// What was never answered is forgotten when nobody can still be waiting for it.
const FORGOTTEN_MS = 600_000;

/** @typedef {{orderId: string, at: number, open: boolean}} Intent */

/**
 * The id under which to ask for an order.
 * @param {object} ticket all that makes it the same order
 * @returns {Promise<string>}
 */
export function intend(ticket) {
  const text = JSON.stringify(ticket);
  return exclusively((intents, now) => {
    const known = intents[text];
    if (known && (known.open || now - known.at < DOUBLE_MS)) return known.orderId;
    const orderId = `page-${now}-${random()}`;
    intents[text] = { orderId, at: now, open: true };
    return orderId;
  });
}

/** It is known what became of the order. */
export function settle(/** @type {string} */ orderId) {
  return exclusively((intents) => {
    for (const intent of Object.values(intents)) if (intent.orderId === orderId) intent.open = false;
  });
}

/**
 * Change the intents of all tabs while no other tab does.
 * @template T
 * @param {(intents: Record<string, Intent>, now: number) => T} change
 * @returns {Promise<T>}
 */
function exclusively(change) {
  return navigator.locks.request(STORE, () => {
    const now = Date.now();
    /** @type {Record<string, Intent>} */
    const intents = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    for (const [text, intent] of Object.entries(intents)) {
      if (now - intent.at > (intent.open ? FORGOTTEN_MS : DOUBLE_MS)) delete intents[text];
    }
    const result = change(intents, now);
    localStorage.setItem(STORE, JSON.stringify(intents));
    return result;
  });
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(36)).join("").slice(0, 9);
}
