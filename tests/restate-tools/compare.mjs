// The local process beside Restate, by turns and with one client, so that both have the same machine at the same time: a
// chain of five steps, each on an empty data directory, on files.
//
// Usage: node compare.mjs LOCAL-PROCESS NODE_MODULES [ROUNDS]
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const [program, modules, rounds = "3"] = process.argv.slice(2);
const CLIENTS = 16;
const SECONDS = 12;
const SINGLE_RUNS = 100;
const WARM_UP = 50;
const INPUT = { customer_email: "alex@example.com", order_id: "12345" };
const PORTS = { ingress: 18080, admin: 19070, node: 15122, service: 19080 };

const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });

function send(method, url, body, headers = {}) {
  const text = body === undefined ? "" : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const all = { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...headers };
    const request = http.request(url, { method, agent, headers: all }, (response) => {
      let answer = "";
      response.on("data", (part) => (answer += part));
      response.on("end", () => resolve({ status: response.statusCode, answer }));
    });
    request.on("error", reject);
    request.end(text);
  });
}

async function until(what, ready) {
  for (let times = 0; times < 300; times += 1) {
    if (await ready().catch(() => false)) return;
    await pause(100);
  }
  throw new Error(`${what} does not come up`);
}

// Two systems: how each is started, and how a run is started and awaited.
async function local(directory) {
  const child = spawn(program, ["--port", "0", "--data-dir", directory], { stdio: "ignore" });
  const file = path.join(directory, "credentials.json");
  await until("the local process", async () => fs.statSync(file).size > 0);
  const { base_url: base, token } = JSON.parse(fs.readFileSync(file, "utf8"));
  await until("the local process", async () => (await send("GET", `${base}/v1/health`)).status === 200);
  const headers = { authorization: `Bearer ${token}` };
  const steps = [...Array(5).keys()].map((at) => ({
    id: `s${at}`,
    type: "lua_script",
    script: at ? `return { n = steps.s${at - 1}.result.n + 1 }` : "return { n = 1 }",
    ...(at && { depends_on: [`s${at - 1}`] }),
  }));
  const made = await send("POST", `${base}/v1/workflows`, { name: "chain", graph: { steps } }, headers);
  const workflow = `${base}/v1/workflows/${JSON.parse(made.answer).id}`;
  await send("POST", `${workflow}/versions`, {}, headers);
  const start = { command: "start", params: INPUT };
  const run = async () => {
    const { answer } = await send("POST", `${workflow}/command`, start, { ...headers, prefer: "wait=20" });
    return answer.includes('"completed"') && answer.includes('"n":5');
  };
  return { children: [child], run };
}

// `flushes`: whether each write is carried to the disk, as Restate does by default, or survives the process's end only, as
// with the local process.
async function restate(directory, flushes) {
  const program = new URL("service.mjs", import.meta.url).pathname;
  const service = spawn("node", [program, PORTS.service, modules], { stdio: "ignore" });
  const binary = path.join(modules, `@restatedev/restate-server-linux-${os.arch()}/bin/restate-server`);
  const address = (port) => `127.0.0.1:${port}`;
  const env = {
    ...process.env,
    DO_NOT_TRACK: "1",
    RESTATE_BASE_DIR: directory,
    RESTATE_BIND_ADDRESS: address(PORTS.node),
    RESTATE_ADVERTISED_ADDRESS: `http://${address(PORTS.node)}`,
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_ADMIN__BIND_ADDRESS: address(PORTS.admin),
    RESTATE_INGRESS__BIND_ADDRESS: address(PORTS.ingress),
    RESTATE_ROCKSDB_DISABLE_WAL_FSYNC: String(!flushes),
    RESTATE_LOG_SERVER__ROCKSDB_DISABLE_WAL_FSYNC: String(!flushes),
    RESTATE_BIFROST__LOCAL__ROCKSDB_DISABLE_WAL_FSYNC: String(!flushes),
  };
  const server = spawn(binary, [], { stdio: "ignore", env });
  const admin = `http://${address(PORTS.admin)}`;
  await until("Restate", async () => (await send("GET", `${admin}/health`)).status === 200);
  const uri = `http://${address(PORTS.service)}`;
  await until("Restate's service", async () => (await send("POST", `${admin}/deployments`, { uri })).status < 300);
  const run = async () => {
    const { status, answer } = await send("POST", `http://${address(PORTS.ingress)}/Chain/run`, INPUT);
    return status === 200 && answer.includes('"n":5');
  };
  await until("a run", run);
  return { children: [server, service], run };
}

const TICK_MS = 10;
function cpu({ pid }) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
const memory = ({ pid }) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
const sum = (values) => values.reduce((all, value) => all + value, 0);
const percentile = (values, percent) => values.sort((a, b) => a - b)[Math.ceil((values.length * percent) / 100) - 1];

async function timed(run, latencies) {
  const begun = performance.now();
  if (!(await run())) throw new Error("a run went wrong");
  latencies.push(performance.now() - begun);
}

async function measure(name, start) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "compare-"));
  const { children, run } = await start(directory);
  try {
    for (let times = 0; times < WARM_UP; times += 1) await run();
    const single = [];
    for (let times = 0; times < SINGLE_RUNS; times += 1) await timed(run, single);
    const [crowd, before, begun] = [[], sum(children.map(cpu)), performance.now()];
    const client = async () => {
      while (performance.now() - begun < SECONDS * 1000) await timed(run, crowd);
    };
    await Promise.all([...Array(CLIENTS)].map(client));
    const elapsed = (performance.now() - begun) / 1000;
    const used = sum(children.map(cpu)) - before;
    console.log(
      `${name.padEnd(20)}${percentile(single, 50).toFixed(1).padStart(8)}${percentile(single, 99).toFixed(1).padStart(8)}` +
        `${(crowd.length / elapsed).toFixed(0).padStart(9)}${percentile(crowd, 50).toFixed(0).padStart(8)}` +
        `${percentile(crowd, 99).toFixed(0).padStart(8)}${(used / crowd.length).toFixed(2).padStart(9)}` +
        `${sum(children.map(memory)).toFixed(0).padStart(8)}`,
    );
  } finally {
    const ended = children.map((child) => new Promise((resolve) => child.once("exit", resolve)));
    children.forEach((child) => child.kill());
    await Promise.all(ended);
    fs.rmSync(directory, { recursive: true });
  }
}

console.log(`${os.cpus()[0].model}, ${os.cpus().length} cores; a run of five steps, times in ms, memory in MB\n`);
console.log(`${"".padEnd(20)}     p50     p99  runs/s, 16: p50    p99  CPU/run  memory`);
for (let round = 0; round < Number(rounds); round += 1) {
  await measure("local process", local);
  await measure("Restate", (directory) => restate(directory, true));
  await measure("Restate, unflushed", (directory) => restate(directory, false));
}
process.exit(0);
