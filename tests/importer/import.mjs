// Makes UnixFS DAGs with an importer that is not ours, for the tests. Each line of the input is a
// job, each line of the output its root:
//
//     {"path": "file or folder", "car": "file to write", "cidVersion": 0, "rawLeaves": false,
//      "chunker": "size-262144" | "rabin-16-32-64", "layout": "balanced" | "trickle" | "flat",
//      "children": 174, "shardAbove": 262144, "duplicates": false}
//
// Everything but the path may be left out: the values above are those of `ipfs add`, and no CAR is written. "duplicates"
// writes a block each time it is linked, in the order of a walk; else once, where it is linked first.

import { createReadStream, createWriteStream, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CarWriter } from "@ipld/car/writer";
import { decode } from "@ipld/dag-pb";
import { importer } from "ipfs-unixfs-importer";
import { fixedSize, rabin } from "ipfs-unixfs-importer/chunker";
import { balanced, flat, trickle } from "ipfs-unixfs-importer/layout";

const DAG_PB = 0x70;

function chunkerOf(name = "size-262144") {
  const [kind, ...numbers] = name.split("-");
  const [first, middle, last] = numbers.map(Number);
  if (kind === "size") return fixedSize({ chunkSize: first });
  return rabin({ minChunkSize: first, avgChunkSize: middle, maxChunkSize: last });
}

function layoutOf(name = "balanced", maxChildrenPerNode = 174) {
  return { balanced, trickle, flat }[name]({ maxChildrenPerNode });
}

/** What is imported: a file, or a folder by its files, each with its path below the folder. */
function* sources(path, name = "") {
  if (statSync(path).isFile()) {
    yield { path: name || undefined, content: createReadStream(path) };
    return;
  }
  const entries = readdirSync(path);
  if (entries.length === 0) yield { path: name || basename(path) };
  for (const entry of entries) yield* sources(join(path, entry), `${name || basename(path)}/${entry}`);
}

async function add(job) {
  const blocks = new Map();
  const blockstore = {
    async put(cid, bytes) {
      if (job.car) blocks.set(cid.toString(), { cid, bytes });
      return cid;
    },
  };
  const options = {
    cidVersion: job.cidVersion ?? 0,
    rawLeaves: job.rawLeaves ?? false,
    leafType: "file",
    reduceSingleLeafToSelf: true,
    wrapWithDirectory: false,
    chunker: chunkerOf(job.chunker),
    layout: layoutOf(job.layout, job.children),
    shardSplitThresholdBytes: job.shardAbove ?? 262_144,
    shardSplitStrategy: "links-bytes",
  };
  let root;
  for await (const entry of importer(sources(job.path), blockstore, options)) root = entry.cid;
  if (job.car) await archive(job, root, blocks);
  return root;
}

async function archive(job, root, blocks) {
  const { writer, out } = CarWriter.create([root]);
  const written = pipeline(Readable.from(out), createWriteStream(job.car));
  const seen = new Set();
  const walk = async (cid) => {
    if (!job.duplicates && seen.has(cid.toString())) return;
    seen.add(cid.toString());
    const block = blocks.get(cid.toString());
    await writer.put(block);
    if (cid.code === DAG_PB) for (const link of decode(block.bytes).Links) await walk(link.Hash);
  };
  await walk(root);
  await writer.close();
  await written;
}

for await (const line of createInterface({ input: process.stdin })) {
  const root = await add(JSON.parse(line));
  process.stdout.write(JSON.stringify({ cid: root.toString() }) + "\n");
}
