// What an explorer asks for to show the contracts' source beside their code:
//
//     npm run verification
//
// writes, for each contract, to contracts/out/verification
//
//     X.json   the compiler's job ("Solidity standard JSON input")
//     X.txt    what the explorer's form asks for besides
//
// and compiles what it wrote once more, to see that it gives the committed
// creation code. The job carries the libraries' source, so it is not committed.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import solc from "solc";
import { build, cast, fail, root } from "./forge.mjs";

const CONTRACTS = ["EverholdCollection", "EverholdFactory"];
const OUT = "contracts/out/verification";

/** The compiler's job without what forge tells a compiler that reads files itself. */
function job({ language, sources, settings }) {
  return JSON.stringify({ language, sources, settings }, null, 2) + "\n";
}

/** Where each contract is, on every chain. The implementation is the first that the factory makes. */
function addresses() {
  const { create2 } = artifact("EverholdFactory");
  const first = cast(["compute-address", "--nonce", "1", create2.address]);
  return { EverholdFactory: create2.address, EverholdCollection: first.split(" ").at(-1) };
}

function artifact(name) {
  return JSON.parse(readFileSync(join(root, `contracts/artifacts/${name}.json`), "utf8"));
}

function form(name, { abi, metadata }, address) {
  const takes = abi.find(({ type }) => type === "constructor")?.inputs.length ?? 0;
  if (takes > 0) fail(`verification: ${name} has constructor arguments, which the form has to name`);
  return [
    `Contract:               contracts/src/${name}.sol:${name}`,
    `Address:                ${address}`,
    `Compiler type:          Solidity (Standard-Json-Input), ${name}.json`,
    `Compiler version:       v${metadata.compiler.version}`,
    `Constructor arguments:  none`,
    `License:                MIT OR Apache-2.0`,
    "",
  ].join("\n");
}

/** The creation code that a job, read back from its file, gives. */
function creationCode(name) {
  const output = JSON.parse(solc.compile(readFileSync(join(root, OUT, `${name}.json`), "utf8")));
  const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
  if (errors.length > 0) fail(errors.map(({ formattedMessage }) => formattedMessage).join("\n"));
  return "0x" + output.contracts[`contracts/src/${name}.sol`][name].evm.bytecode.object;
}

function write(name, text) {
  writeFileSync(join(root, OUT, name), text);
  console.log(`${OUT}/${name}: written`);
}

/** The factory's code is committed; the collection's is part of it, for the factory makes it. */
function check(name) {
  const code = creationCode(name);
  const committed = artifact("EverholdFactory").bytecode;
  const same = name === "EverholdFactory" ? committed === code : committed.includes(code.slice(2));
  if (!same) fail(`verification: ${OUT}/${name}.json does not give the code in contracts/artifacts`);
  console.log(`${OUT}/${name}.json: gives the code in contracts/artifacts`);
}

mkdirSync(join(root, OUT), { recursive: true });
const at = addresses();
for (const name of CONTRACTS) {
  // Each alone: its job has just the sources that it needs.
  const built = build([name]);
  write(`${name}.json`, job(built.input));
  write(`${name}.txt`, form(name, built.of(name), at[name]));
  check(name);
}
