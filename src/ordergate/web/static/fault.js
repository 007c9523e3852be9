/** What is wrong with what was written, said at its field: the server's own words, or the page's before it is asked. */

import { html } from "./html.js";

/** @typedef {import("./rows.js").Preview} Preview */
/** @typedef {import("./rows.js").Answer} Answer */
/** @typedef {{field: string, text: string}} Fault `field`: as the server names it, bracket.targets[1].quantity */

/** The one that stands: an order is refused for one field at a time. */
const ID = "fault";
// The fields that have a place of their own for it; any other is told with the order.
const PLACES = /^(?:stopLoss|takeProfit|bracket|preset)\b/;

/**
 * What the server says of one of those fields, if it does.
 * @param {readonly (Preview | Answer)[]} answers
 * @returns {Fault | null}
 */
export function faultIn(answers) {
  for (const answer of answers) {
    if ("error" in answer && answer.error && answer.field && PLACES.test(answer.field)) {
      // Its name is said by its place.
      return { field: answer.field, text: answer.error.replace(/^(?:stopLoss|takeProfit|bracket)\S* /, "") };
    }
  }
  return null;
}

/**
 * Whether `fault` is of `field` or of a part of it.
 * @param {Fault | null} fault
 * @param {string} field
 */
export function isAt(fault, field) {
  return fault !== null && fault.field.startsWith(field) && !/^\w/.test(fault.field.slice(field.length));
}

/** @param {{fault: Fault | null, fields: string[]}} props of which fields this is the place */
export function FaultAt({ fault, fields }) {
  if (fault === null || !fields.some((field) => isAt(fault, field))) return null;
  return html`<p class="bad fault" id=${ID} role="alert">✕ ${fault.text}</p>`;
}

/**
 * What an input says of itself to who cannot see the mark.
 * @param {Fault | null} fault
 * @param {string[]} fields
 */
export function marked(fault, ...fields) {
  const isWrong = fields.some((field) => isAt(fault, field));
  return { "aria-invalid": isWrong, "aria-describedby": isWrong ? ID : undefined };
}
