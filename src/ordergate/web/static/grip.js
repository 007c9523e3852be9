/**
 * The hand on the chart: a stop or a target is dragged by its line. A mouse that lets go asks for it; a finger, which may
 * only have meant to scroll, still has to press Move.
 */

import { onTick } from "./format.js";
import * as desk from "./desk.js";
import { carry, hold, leave, levels, move, put, write } from "./levels.js";

// How far beside its line a level can be taken, in CSS pixels.
const NEAR_PX = { mouse: 6, touch: 16 };

/**
 * Follow the pointer on `box` until the returned function is called.
 * @param {HTMLElement} box
 * @param {import("lightweight-charts").IChartApi} chart
 * @param {import("lightweight-charts").ISeriesApi<"Candlestick">} series
 */
export function gripped(box, chart, series) {
  const end = new AbortController();
  /** @type {(name: string, follow: (event: any) => void, at?: EventTarget) => void} */
  const on = (name, follow, at = box) =>
    at.addEventListener(name, follow, { signal: end.signal, capture: true, passive: false });
  const isHeld = () => move.peek()?.phase === "held";
  const height = (/** @type {{clientY: number}} */ at) => at.clientY - box.getBoundingClientRect().top;

  /** The level nearest to the pointer, if one is near. */
  const near = (/** @type {{clientY: number}} */ at, /** @type {string} */ pointer) => {
    if (desk.status.peek() !== "live" || move.peek()?.phase === "asked") return null;
    const reach = pointer === "mouse" ? NEAR_PX.mouse : NEAR_PX.touch;
    const away = (/** @type {number} */ price) => Math.abs((series.priceToCoordinate(price) ?? Infinity) - height(at));
    const [nearest] = levels.peek().toSorted((one, other) => away(one.price) - away(other.price));
    return nearest && away(nearest.price) <= reach ? nearest : null;
  };
  const free = (/** @type {boolean} */ isFree) => {
    chart.applyOptions({ handleScroll: isFree, handleScale: isFree });
    box.classList.toggle("held", !isFree);
  };

  on("pointerdown", (event) => {
    const level = event.button === 0 ? near(event, event.pointerType) : null;
    if (level === null) return;
    event.preventDefault();
    event.stopPropagation();
    box.setPointerCapture(event.pointerId);
    free(false);
    hold(level, "held");
  });
  on("pointermove", (event) => {
    if (!isHeld()) {
      box.classList.toggle("near", near(event, event.pointerType) !== null);
      return;
    }
    const price = series.coordinateToPrice(height(event));
    const instrument = desk.instrument.peek();
    if (price !== null && instrument) carry(onTick(price, instrument));
  });
  on("pointerup", (event) => {
    if (isHeld()) void (event.pointerType === "touch" ? write() : put());
  });
  on("lostpointercapture", () => {
    free(true);
    if (isHeld()) leave();
  });
  // A finger on a line moves the line, not the page.
  on("touchstart", (event) => (isHeld() || near(event.touches[0], "touch")) && event.preventDefault());
  on("keydown", (event) => event.key === "Escape" && isHeld() && leave(), window);
  return () => end.abort();
}
