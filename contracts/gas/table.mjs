// What each operation costs, beside what it costs with other libraries:
//
//     make gas               measure, print the table, fail if a figure or a bound is off
//     UPDATE=1 make gas      write the figures to contracts/gas/snapshot.json
//
// A transaction's figure is what it uses before refunds: 21,000, its calldata
// and its execution, with nothing read before it. A view's is its execution.
// The tests beside this file say from which state. All are compiled alike.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const scratch = join(root, "contracts/cache/gas");
const committed = join(root, "contracts/gas/snapshot.json");

const COLUMNS = [
  ["everhold", "Everhold"],
  ["openzeppelin-uri", "OpenZeppelin URIStorage"],
  ["openzeppelin", "OpenZeppelin + digest"],
  ["solady", "Solady + digest"],
  ["erc721a", "ERC721A + digest"],
];

// The rows in order; the most that Everhold may use; and how many tokens the figure is for.
const ROWS = [
  { name: "deployment", bound: 260_000 },
  { name: "factory, once for a chain" },
  { name: "mint", bound: 102_000 },
  { name: "mint to a holder" },
  { name: "batch of 100", bound: 10_700, tokens: 100 },
  { name: "batch of 500", tokens: 500 },
  { name: "transfer of a single", bound: 65_000 },
  { name: "transfer from a batch, 100th" },
  { name: "transfer from a batch, worst", bound: 98_000 },
  { name: "first update of a single" },
  { name: "later update", bound: 57_000 },
  { name: "first update in a batch, worst", bound: 90_000 },
  { name: "later update in a batch, worst", bound: 57_000 },
  { name: "later update in a batch, moved", bound: 57_000 },
  { name: "first update by signature" },
  { name: "first update by signature in a batch, moved" },
  { name: "later update by signature" },
  { name: "freeze of a single" },
  { name: "freeze in a batch, worst" },
  { name: "burn of a single" },
  { name: "burn in a batch, worst" },
  { name: "redeem, first of 256" },
  { name: "redeem, later" },
  { name: "tokenURI of a single", bound: 20_000 },
  { name: "tokenURI in a batch, worst", bound: 20_000 },
  { name: "tokenURI in a batch, updated", bound: 20_000 },
  { name: "contentDigest of a single" },
  { name: "contentDigest in a batch, worst" },
  { name: "contentDigest in a batch, updated" },
  { name: "ownerOf of a single" },
  { name: "ownerOf in a batch, worst" },
  { name: "ownerOf in a batch, updated" },
];

const SCALES = [
  ["everhold", "10 batches"],
  ["everhold-100", "100 batches"],
  ["everhold-1000", "1,000 batches"],
];
const SCALING = ["mint", "transfer from a batch, worst", "tokenURI in a batch, worst"];

// ----------------------------------------------------------------- measuring

function measure() {
  rmSync(join(scratch, "snapshots"), { recursive: true, force: true });
  const tested = spawnSync("forge", ["test", "--silent"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH,
      FOUNDRY_PROFILE: "gas",
    },
  });
  if (tested.error) fail(`forge does not start (${tested.error.message}): is \`npm ci\` done?`);
  if (tested.status !== 0) fail("not everything could be measured: `FOUNDRY_PROFILE=gas forge test` shows why");
  return read();
}

/** What forge wrote, a file for each group, with its numbers in quotes. */
function read() {
  const figures = {};
  for (const file of readdirSync(join(scratch, "snapshots")).sort()) {
    const group = JSON.parse(readFileSync(join(scratch, "snapshots", file), "utf8"));
    figures[file.replace(/\.json$/, "")] = Object.fromEntries(
      Object.entries(group).map(([name, gas]) => [name, Number(gas)]),
    );
  }
  return figures;
}

// ------------------------------------------------------------------ printing

function print(heads, rows) {
  const table = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map(pad).join(" | ")} |`;
  const pad = (cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]));
  const rule = widths.map((width, column) => "-".repeat(width - (column ? 1 : 0)) + (column ? ":" : ""));
  console.log([line(heads), line(rule), ...rows.map(line), ""].join("\n"));
}

const show = (gas, tokens = 1) => (gas === undefined ? "–" : Math.ceil(gas / tokens).toLocaleString("en"));

function printAll(figures) {
  const label = ({ name, tokens }) => (tokens ? `${name}, a token` : name);
  print(
    ["gas", ...COLUMNS.map(([, title]) => title), "bound"],
    ROWS.map((row) => [
      label(row),
      ...COLUMNS.map(([group]) => show(figures[group][row.name], row.tokens)),
      row.bound ? show(row.bound) : "",
    ]),
  );
  print(
    ["Everhold by batches present", ...SCALES.map(([, title]) => title)],
    SCALING.map((name) => [name, ...SCALES.map(([group]) => show(figures[group][name]))]),
  );
}

// ------------------------------------------------------------------ checking

function overBound(figures) {
  return ROWS.filter(({ name, bound, tokens = 1 }) => bound && !(figures.everhold[name] <= bound * tokens)).map(
    ({ name, bound, tokens = 1 }) => `${name}: ${figures.everhold[name]} is more than ${bound * tokens}`,
  );
}

function unlisted(figures) {
  const listed = new Set(ROWS.map(({ name }) => name));
  return Object.values(figures)
    .flatMap(Object.keys)
    .filter((name) => !listed.has(name))
    .map((name) => `${name}: measured, but not in the table`);
}

function changes(figures) {
  const before = existsSync(committed) ? JSON.parse(readFileSync(committed, "utf8")) : {};
  const found = [];
  for (const group of new Set([...Object.keys(before), ...Object.keys(figures)])) {
    for (const name of new Set([...Object.keys(before[group] ?? {}), ...Object.keys(figures[group] ?? {})])) {
      const [was, is] = [before[group]?.[name], figures[group]?.[name]];
      if (was !== is) found.push(`${group}, ${name}: ${was ?? "not there"} before, ${is ?? "not there"} now`);
    }
  }
  return found;
}

function fail(...messages) {
  for (const message of messages) console.error(message);
  process.exit(1);
}

const figures = measure();
printAll(figures);
const problems = [...overBound(figures), ...unlisted(figures)];
if (problems.length > 0) fail(...problems);
if (process.env.UPDATE) {
  writeFileSync(committed, JSON.stringify(figures, null, 2) + "\n");
} else {
  const changed = changes(figures);
  if (changed.length > 0) fail(...changed, "If that is meant: UPDATE=1 make gas");
}
