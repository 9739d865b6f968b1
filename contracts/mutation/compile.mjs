// Compiles mutants, one after the other, in a process that loads the compiler once.
//
// Reads a line of JSON for each, `{"path": …, "source": …, "final": …}`, and answers with one: the factory's
// creation code, in hex, which holds the collection's, or null where the mutant does not compile. "final" asks
// for the code that is deployed, by the optimizer and via IR; without it the compiler does as little as it can.
//
// node contracts/mutation/compile.mjs, from the top level.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const solc = createRequire(`${process.cwd()}/package.json`)("solc");

const FACTORY = "contracts/src/EverholdFactory.sol";
const REMAPPINGS = [
  ["@openzeppelin/contracts/", "node_modules/@openzeppelin/contracts/"],
  ["solady/", "node_modules/solady/src/"],
];

const files = new Map();

function read(path) {
  const [from, to] = REMAPPINGS.find(([prefix]) => path.startsWith(prefix)) ?? ["", ""];
  const file = to + path.slice(from.length);
  if (!files.has(file)) files.set(file, readFileSync(file, "utf8"));
  return files.get(file);
}

function settings(final) {
  return {
    evmVersion: "cancun",
    optimizer: { enabled: final, runs: 1_000_000 },
    viaIR: final,
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { [FACTORY]: { EverholdFactory: ["evm.bytecode.object"] } },
  };
}

function compile({ path, source, final }) {
  const contents = (name) => (name === path ? source : read(name));
  const job = {
    language: "Solidity",
    sources: { [FACTORY]: { content: contents(FACTORY) } },
    settings: settings(final),
  };
  const answer = JSON.parse(
    solc.compile(JSON.stringify(job), { import: (name) => ({ contents: contents(name) }) }),
  );
  if (answer.errors?.some(({ severity }) => severity === "error")) return null;
  return answer.contracts[FACTORY].EverholdFactory.evm.bytecode.object;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(compile(JSON.parse(line)))}\n`);
}
