// The page of the simulated exchange: it asks what there is once a second, and asks for what its buttons say.

/**
 * @typedef {{contractId: string, name: string, last: string, change: string, volume: number,
 *   bids: [string, number][], asks: [string, number][], resumesAt: string | null}} Market
 * @typedef {{contract: string, net: number, average: string, openUsd: string}} Position
 * @typedef {{accountId: number, name: string, userName: string, balanceUsd: string, canTrade: boolean,
 *   positions: Position[]}} Account
 * @typedef {{orderId: number, accountId: number, contract: string, what: string, size: number, filled: number,
 *   price: string, status: string, tag: string | null, ahead: number}} Order
 * @typedef {{fillId: number, accountId: number, contract: string, side: string, size: number, price: string,
 *   at: string, voided: boolean}} Fill
 * @typedef {{hub: string, userName: string, subscriptions: string[], waiting: number}} Client
 * @typedef {{faultId: number, left: number | null, struck: number, fault: Record<string, unknown>}} Standing
 * @typedef {{now: string, seed: number, variants: string[], behindMs: number, markets: Market[], accounts: Account[],
 *   orders: Order[], fills: Fill[], clients: Client[], faults: Standing[]}} Panel
 */

const KINDS = [
  "status", "hang", "empty", "stale", "lose", "double", "late", "shuffle", "slow", "reject", "reject_leg", "part",
  "overfill",
];
const HALT_S = 10;

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T}
 */
function found(selector, kind) {
  const element = document.querySelector(selector);
  if (!(element instanceof kind)) throw new Error(`the page has no ${selector}`);
  return element;
}

/**
 * @param {string} tag
 * @param {(Node | string)[]} children
 * @param {string} [className]
 * @returns {HTMLElement}
 */
function made(tag, children, className = "") {
  const element = document.createElement(tag);
  element.append(...children);
  element.className = className;
  return element;
}

/**
 * @param {string} text
 * @param {Record<string, unknown>} act
 * @returns {HTMLElement}
 */
function button(text, act) {
  const element = made("button", [text]);
  element.addEventListener("click", () => void post("act", act));
  return element;
}

/**
 * @param {string} selector
 * @param {string[]} heads
 * @param {(Node | string)[][]} rows
 */
function table(selector, heads, rows) {
  // What has not changed stays, and so does the focus in it.
  const said = JSON.stringify(rows.map((cells) => cells.map((cell) => (typeof cell === "string" ? cell : cell.textContent))));
  const table = found(selector, HTMLTableElement);
  if (table.dataset.said === said) return;
  table.dataset.said = said;
  const body = rows.map((cells) => made("tr", cells.map((cell) => made("td", [cell]))));
  const none = made("tr", [made("td", ["none"], "quiet")]);
  table.replaceChildren(
    made("tr", heads.map((head) => made("th", [head]))),
    ...(body.length ? body : [none]),
  );
}

/**
 * @param {string} path
 * @param {Record<string, unknown>} body
 */
async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  found("#said", HTMLElement).textContent = said.error ?? "";
  await show();
}

/** @param {Market} market */
function book(market) {
  const levels = market.bids.map(([price, size], place) => {
    const [askPrice, askSize] = market.asks[place] ?? ["", 0];
    return made("div", [`${size}`, price, askPrice, `${askSize}`].map((text) => made("span", [text])), "level");
  });
  const head = made("p", [made("strong", [market.name]), `${market.last} (${market.change})`]);
  const paused = market.resumesAt ? [made("p", [`paused until ${market.resumesAt.slice(11, 19)}`])] : [];
  return made("div", [head, ...paused, ...levels]);
}

/** @param {Market[]} markets */
function books(markets) {
  const all = found("#markets", HTMLElement);
  const names = markets.map((market) => market.name).join(" ");
  if (all.dataset.names !== names) {
    all.dataset.names = names;
    all.replaceChildren(...markets.map((market) => {
      const halt = button("Pause", { act: "halt", contractId: market.contractId, seconds: HALT_S });
      halt.title = `Let ${market.name} pause for ${HALT_S} s`;
      return made("div", [made("div", []), halt], "book");
    }));
  }
  markets.forEach((market, place) => {
    const card = all.children[place];
    card?.firstElementChild?.replaceWith(book(market));
    card?.toggleAttribute("data-paused", market.resumesAt !== null);
  });
}

/** @param {Account} account */
function accountRow(account) {
  const held = account.positions.map((each) => `${each.net > 0 ? "+" : ""}${each.net} ${each.contract} at ${each.average} (${each.openUsd})`);
  const name = `${account.name} (${account.accountId}, ${account.userName})`;
  return [
    account.canTrade ? name : `${name}: locked`,
    account.balanceUsd,
    held.join(", ") || "flat",
    button("Liquidate", { act: "liquidate", accountId: account.accountId }),
  ];
}

/** @param {Order} order */
function orderRow(order) {
  const ahead = order.ahead ? `${order.ahead} before it` : "";
  return [`${order.accountId}`, `${order.contract} ${order.what}`, `${order.filled}/${order.size}`, order.price,
    order.status, order.tag ?? "", ahead];
}

/** @param {Fill} fill */
function fillRow(fill) {
  const bust = fill.voided ? "taken back" : button("Bust", { act: "bust", fillId: fill.fillId });
  return [fill.at.slice(11, 23), `${fill.accountId}`, `${fill.contract} ${fill.side} ${fill.size}`, fill.price, bust];
}

/** @param {Standing} standing */
function faultRow(standing) {
  const { kind, on } = standing.fault;
  return [`${kind}`, `${on || "anywhere"}`, `struck ${standing.struck}`, standing.left === null ? "for ever" : `${standing.left} left`];
}

async function show() {
  const line = found("#line", HTMLElement);
  /** @type {Panel} */
  let panel;
  try {
    panel = await (await fetch("state")).json();
  } catch {
    line.textContent = "the exchange does not answer";
    return;
  }
  const behind = panel.behindMs > 500 ? `, ${panel.behindMs} ms behind its clock` : "";
  const otherwise = panel.variants.length ? `, otherwise: ${panel.variants.join(", ")}` : "";
  line.textContent = `${panel.now.slice(0, 19).replace("T", " ")} UTC, seed ${panel.seed}${otherwise}${behind}`;
  const wanted = found("#wanted", HTMLInputElement).value.toUpperCase().split(/[\s,]+/);
  const shown = panel.markets.filter((market) => wanted.includes(market.name.slice(0, -2)));
  books(shown);
  table("#accounts", ["Account", "Balance $", "Holds", ""], panel.accounts.map(accountRow));
  table("#orders", ["Account", "Order", "Filled", "Price", "Status", "Tag", "Queue"], panel.orders.map(orderRow));
  table("#fills", ["At", "Account", "Fill", "Price", ""], panel.fills.slice(0, 12).map(fillRow));
  table("#faults", ["What", "On", "", ""], panel.faults.map(faultRow));
  table(
    "#clients",
    ["Hub", "User", "Subscribed to", "Waiting"],
    panel.clients.map((each) => [each.hub.slice(6), each.userName, each.subscriptions.join(", "), `${each.waiting}`]),
  );
}

const form = found("#fault", HTMLFormElement);
found("select[name=kind]", HTMLSelectElement).append(...KINDS.map((kind) => made("option", [kind])));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = new FormData(form);
  /** @param {string} name */
  const number = (name) => Number(given.get(name));
  void post("faults", {
    kind: given.get("kind"),
    on: given.get("on"),
    when: given.get("when"),
    status: number("status"),
    times: given.get("times") ? number("times") : null,
    chancePercent: number("chancePercent"),
  });
});
found("#clear", HTMLButtonElement).addEventListener("click", async () => {
  await fetch("faults", { method: "DELETE" });
  await show();
});
for (const each of document.querySelectorAll("button[data-act]")) {
  if (each instanceof HTMLElement) each.addEventListener("click", () => void post("act", { act: each.dataset.act }));
}
void show();
setInterval(show, 1_000);
