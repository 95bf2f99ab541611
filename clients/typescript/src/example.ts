// node dist/example.js ADDRESS IMAGE... prints the confidence and text of each image.

import { readFile } from "node:fs/promises";
import { LegibleClient, ServiceError } from "./client.js";

const [address, ...paths] = process.argv.slice(2);
if (!address || paths.length === 0) {
  console.error("node dist/example.js http://localhost:3000 word.png ...");
  process.exit(2);
}
const client = new LegibleClient(address, { key: process.env["LEGIBLE_KEY"] ?? "" });
const images = await Promise.all(paths.map((path) => readFile(path)));
for await (const one of client.readMany(images)) {
  const failed = one instanceof ServiceError;
  if (failed) process.exitCode = 1;
  console.log(failed ? `\t${one.message}` : `${one.confidence.toFixed(3)}\t${one.text}`);
}
