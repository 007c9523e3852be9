/** Preact elements written as HTML, by htm. */

import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
