// The contract's ABI and bytecode, committed so that the indexer builds on a
// machine without Node:
//
//     npm run artifacts          build the contract and write them
//     npm run artifacts:check    fail if the committed ones are not what builds
//
// The build is one of its own, of the contract alone: what else is compiled
// beside it (tests, an older cache) must have no say in the bytes.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const CONTRACTS = ["EverholdCollection"];

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const scratch = "contracts/cache/artifacts";

function build() {
  rmSync(join(root, scratch), { recursive: true, force: true });
  const sources = CONTRACTS.map((name) => `contracts/src/${name}.sol`);
  const built = spawnSync(
    "forge",
    ["build", "--out", `${scratch}/out`, "--cache-path", `${scratch}/cache`, ...sources],
    {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...process.env,
        PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH,
        // The default profile, whatever is being tried out beside it.
        FOUNDRY_PROFILE: "default",
      },
    },
  );
  if (built.error) fail(`forge does not start (${built.error.message}): is \`npm ci\` done?`);
  if (built.status !== 0) fail("forge could not build the contracts: `npm run build` shows why");
}

/** The committed file's text, from what forge wrote. */
function artifact(name) {
  const { abi, bytecode, metadata } = JSON.parse(
    readFileSync(join(root, scratch, "out", `${name}.sol`, `${name}.json`), "utf8"),
  );
  const { compiler, settings } = metadata;
  const extract = {
    contractName: name,
    compiler: {
      name: "solc",
      version: compiler.version,
      evmVersion: settings.evmVersion,
      optimizerRuns: settings.optimizer.runs,
      viaIR: settings.viaIR ?? false,
    },
    abi,
    bytecode: bytecode.object,
  };
  return JSON.stringify(extract, null, 2) + "\n";
}

function fail(message) {
  console.error(`artifacts: ${message}`);
  process.exit(1);
}

const check = process.argv.includes("--check");
build();
for (const name of CONTRACTS) {
  const path = `contracts/artifacts/${name}.json`;
  const file = join(root, path);
  const fresh = artifact(name);
  const same = existsSync(file) && readFileSync(file, "utf8") === fresh;
  if (check && !same) {
    fail(`${path} is not what contracts/src builds: run \`npm run artifacts\` and commit the file`);
  }
  if (!same) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, fresh);
  }
  console.log(`${path}: ${same ? "up to date" : "written"}`);
}
