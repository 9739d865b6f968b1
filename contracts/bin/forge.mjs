// What the scripts beside this one share: builds of the contracts alone. What
// else is compiled beside them (tests, an older cache) must have no say in
// the bytes.

import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Stops the script that says so. */
export function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Runs one of Foundry's tools at the top level, npm's before any other. */
function foundry(tool, args, options) {
  const run = spawnSync(tool, args, {
    cwd: root,
    encoding: "utf8",
    env: {
      ...process.env,
      PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH,
      // The default profile, whatever is being tried out beside it.
      FOUNDRY_PROFILE: "default",
    },
    ...options,
  });
  if (run.error) fail(`${tool} does not start (${run.error.message}): is \`npm ci\` done?`);
  return run;
}

/** What cast answers, without the line's end. `input` is what it reads. */
export function cast(args, input = "") {
  const run = foundry("cast", args, { input, stdio: ["pipe", "pipe", "inherit"] });
  if (run.status !== 0) fail(`cast ${args[0]} failed`);
  return run.stdout.trim();
}

/**
 * Compiles contracts of a folder and returns what forge wrote: `of(name)`, the artifact, and
 * `input`, the compiler's job.
 */
export function build(contracts, folder = "contracts/src") {
  const scratch = "contracts/cache/alone";
  rmSync(join(root, scratch), { recursive: true, force: true });
  const places = ["--out", `${scratch}/out`, "--cache-path", `${scratch}/cache`];
  const info = ["--build-info", "--build-info-path", `${scratch}/info`];
  const sources = contracts.map((name) => `${folder}/${name}.sol`);
  const built = foundry("forge", ["build", ...places, ...info, ...sources], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (built.status !== 0) fail("forge could not build the contracts: `npm run build` shows why");

  const read = (...path) => JSON.parse(readFileSync(join(root, scratch, ...path), "utf8"));
  const [job, ...more] = readdirSync(join(root, scratch, "info"));
  if (more.length > 0) fail("forge ran the compiler more than once");
  return {
    input: read("info", job).input,
    of: (name) => read("out", `${name}.sol`, `${name}.json`),
  };
}
