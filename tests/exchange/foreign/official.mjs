// A bot's connections by Microsoft's own client: node official.mjs ORIGIN TOKEN ACCOUNT CONTRACT WAY
// One line of JSON for each thing that happens; it ends when its stdin does.
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";

const [origin, token, account, contract, way] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
const accessTokenFactory = () => token;
const direct = { skipNegotiation: true, transport: HttpTransportType.WebSockets };
const WAYS = {
  negotiated: ["", { accessTokenFactory }],
  twice: [`?access_token=${token}`, { accessTokenFactory }],
  documented: [`?access_token=${token}`, { ...direct, accessTokenFactory, timeout: 10000 }],
  header: ["", { ...direct, accessTokenFactory }],
  query: [`?access_token=${token}`, direct],
};

async function connected(hub, events) {
  const [query, options] = WAYS[way];
  const connection = new HubConnectionBuilder()
    .withUrl(`${origin}/hubs/${hub}${query}`, options)
    .withAutomaticReconnect()
    .configureLogging(LogLevel.Error)
    .build();
  for (const name of events) connection.on(name, (...data) => say({ event: name, arguments: data }));
  connection.onclose((error) => say({ closed: error ? String(error) : null }));
  await connection.start();
  return connection;
}

const user = await connected("user", [
  "GatewayUserAccount", "GatewayUserOrder", "GatewayUserPosition", "GatewayUserTrade",
]);
await user.invoke("SubscribeAccounts");
for (const name of ["Orders", "Positions", "Trades"]) await user.invoke(`Subscribe${name}`, Number(account));
const market = await connected("market", ["GatewayQuote", "GatewayTrade", "GatewayDepth"]);
await market.send("SubscribeContractQuotes", contract);
await market.invoke("SubscribeContractTrades", contract);
await user.invoke("Nonsense").catch((error) => say({ error: error.message }));
await user.invoke("SubscribeAccounts"); // it lives
say({ ready: true });
process.stdin.resume().on("end", async () => {
  await Promise.all([user.stop(), market.stop()]);
  say({ ended: true });
});
