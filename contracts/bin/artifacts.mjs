// What the indexer and the scripts know of the contracts, committed so that
// the indexer builds on a machine without Node:
//
//     npm run artifacts          build the contracts and write it
//     npm run artifacts:check    fail if what is committed is not what builds
//
// Of the factory, which is deployed, that is its ABI, its creation code and
// the address that follows from it; of the collections, which the factory
// makes, the ABI. Of contracts of others, which the indexer's tests put on a
// chain, the creation code.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build, cast, fail, root } from "./forge.mjs";

const FACTORY = "EverholdFactory";
const CONTRACTS = ["EverholdCollection", FACTORY];
const FOREIGN = ["Foreign721", "Foreign1155", "Old721", "YesToAll", "Erc20Like", "Batcher"];

// The deterministic deployment proxy, at this address on every chain.
const DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C";
const SALT = "0x" + "00".repeat(32);

/** Where creation code ends up, on every chain. */
function create2(code) {
  const hash = cast(["keccak"], code);
  const answer = cast(["create2", "--deployer", DEPLOYER, "--salt", SALT, "--init-code-hash", hash]);
  return { deployer: DEPLOYER, salt: SALT, address: answer };
}

/** The committed file's text, from what forge wrote. */
function artifact(name, { abi, bytecode, metadata }) {
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
  };
  if (name === FACTORY) {
    extract.bytecode = bytecode.object;
    extract.create2 = create2(bytecode.object);
  }
  return JSON.stringify(extract, null, 2) + "\n";
}

/** What is committed of a contract that only tests use. */
function fixture(name, { bytecode, deployedBytecode }) {
  const extract = { contractName: name, bytecode: bytecode.object, runtime: deployedBytecode.object };
  return JSON.stringify(extract, null, 2) + "\n";
}

const check = process.argv.includes("--check");

/** Writes a file, or with --check fails where it is another. */
function write(path, fresh, sources) {
  const file = join(root, path);
  const same = existsSync(file) && readFileSync(file, "utf8") === fresh;
  if (check && !same) {
    fail(`${path} is not what ${sources} builds: run \`npm run artifacts\` and commit the file`);
  }
  if (!same) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, fresh);
  }
  console.log(`${path}: ${same ? "up to date" : "written"}`);
}

const built = build(CONTRACTS);
for (const name of CONTRACTS) {
  write(`contracts/artifacts/${name}.json`, artifact(name, built.of(name)), "contracts/src");
}
const sources = "contracts/test/foreign";
const foreign = build(FOREIGN, sources);
for (const name of FOREIGN) {
  write(`tests/data/foreign/${name}.json`, fixture(name, foreign.of(name)), sources);
}
