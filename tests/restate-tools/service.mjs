// A service of Restate with the work of the benchmark: five steps, each kept before the next begins.
// Usage: node service.mjs PORT NODE_MODULES
import http2 from "node:http2";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

// The SDK asks for Node.js 22; this is all that it takes from it.
Promise.withResolvers ??= function withResolvers() {
  let resolve, reject;
  const promise = new Promise((yes, no) => ((resolve = yes), (reject = no)));
  return { promise, resolve, reject };
};

const [port, modules] = process.argv.slice(2);
const sdk = createRequire(`${path.resolve(modules)}/`).resolve("@restatedev/restate-sdk");
const { createEndpointHandler, service } = (await import(pathToFileURL(sdk))).default;

const chain = service({
  name: "Chain",
  handlers: {
    run: async (context, input) => {
      let last = { n: 0 };
      for (let step = 0; step < 5; step += 1) {
        const before = last;
        last = await context.run(`s${step}`, () => ({ n: before.n + 1 }));
      }
      return { ...last, input };
    },
  },
});
http2.createServer(createEndpointHandler({ services: [chain] })).listen(Number(port), "127.0.0.1");
