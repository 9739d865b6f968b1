// What IPFS makes of a few documents, recorded from an importer that is not
// ours, for the tests of the contract and of the indexer:
//
//     npm run vectors          import the documents and write the file
//     npm run vectors:check    fail if the committed file is not what comes out

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { importer } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";

const BLOCK = 262_144;
// Every length at which a number in the block takes a byte more, and the ends of the range.
const ONE_BLOCK = [0, 1, 127, 128, 16_383, 16_384, BLOCK - 1, BLOCK];
const TWO_BLOCKS = BLOCK + 1;

const PATH = "tests/data/unixfs/vectors.json";
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const file = join(root, PATH);

/** The test document of a length: no two of its 256-byte rows are alike within 64 KiB. */
function document(length) {
  return Uint8Array.from({ length }, (_, i) => (31 * i + Math.floor(i / 256)) % 256);
}

/** The document's root and its blocks, as `ipfs add` makes them with CIDv0. */
async function add(length) {
  const blocks = [];
  const blockstore = {
    async put(cid, bytes) {
      blocks.push({ cid, bytes });
      return cid;
    },
  };
  const options = {
    cidVersion: 0,
    rawLeaves: false,
    leafType: "file",
    reduceSingleLeafToSelf: true,
    chunker: fixedSize({ chunkSize: BLOCK }),
    layout: balanced({ maxChildrenPerNode: 174 }),
  };
  for await (const { cid } of importer([{ content: document(length) }], blockstore, options)) {
    return { cid, blocks };
  }
  throw new Error(`no root for ${length} bytes`);
}

function hex(bytes) {
  return "0x" + Buffer.from(bytes).toString("hex");
}

function describe(length, { cid, blocks }) {
  if (blocks.length !== (length > BLOCK ? 3 : 1)) fail(`${length} bytes became ${blocks.length} blocks`);
  const entry = { length, digest: hex(cid.multihash.digest), cid: cid.toString() };
  if (blocks.length === 1) return entry;

  const rootBlock = Buffer.from(blocks.find((block) => block.cid.equals(cid)).bytes);
  // Blocks are written in any order; the root links the leaves in that of the document.
  const place = (leaf) => rootBlock.indexOf(leaf.multihash.digest);
  const leaves = blocks
    .map((block) => block.cid)
    .filter((leaf) => !leaf.equals(cid))
    .sort((a, b) => place(a) - place(b))
    .map(String);
  return { ...entry, rootBlock: hex(rootBlock), leaves };
}

async function vector(length) {
  return describe(length, await add(length));
}

/** The importer's version, which package.json pins. */
function importerVersion() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return devDependencies["ipfs-unixfs-importer"];
}

async function vectors() {
  const oneBlock = [];
  for (const length of ONE_BLOCK) oneBlock.push(await vector(length));
  return {
    document: "byte i is (31 * i + floor(i / 256)) mod 256",
    importer: `npm ipfs-unixfs-importer ${importerVersion()}: CIDv0, no raw leaves, chunks of ${BLOCK} bytes`,
    oneBlock,
    twoBlocks: await vector(TWO_BLOCKS),
  };
}

function fail(message) {
  console.error(`unixfs-vectors: ${message}`);
  process.exit(1);
}

const fresh = JSON.stringify(await vectors(), null, 2) + "\n";
const same = existsSync(file) && readFileSync(file, "utf8") === fresh;
if (process.argv.includes("--check")) {
  if (!same) fail(`${PATH} is not what the importer makes: run \`npm run vectors\` and look at the change`);
} else if (!same) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, fresh);
}
console.log(`${PATH}: ${same ? "up to date" : "written"}`);
