// node dist/example.js ADDRESS IMAGE... prints the confidence and text of each image;
// with --page before the images, of each line of each document; --page=pdf writes the file of another format.

import { readFile } from "node:fs/promises";
import { LegibleClient, ServiceError, type PageFormat } from "./client.js";

const [address, ...rest] = process.argv.slice(2);
const arePages = rest[0]?.startsWith("--page") ?? false;
const format = arePages ? rest[0]?.split("=")[1] : undefined;
const paths = arePages ? rest.slice(1) : rest;
if (!address || paths.length === 0) {
  console.error("node dist/example.js http://localhost:3000 [--page[=FORMAT]] word.png ...");
  process.exit(2);
}
const client = new LegibleClient(address, { key: process.env["LEGIBLE_KEY"] ?? "" });
const images = await Promise.all(paths.map((path) => readFile(path)));
if (format) {
  for (const image of images) process.stdout.write(await client.readPageAs(format as PageFormat, image));
} else if (arePages) {
  for (const image of images) {
    const { pages } = await client.readPage(image);
    const lines = pages.flatMap((page) => page.blocks.flatMap((block) => block.lines));
    for (const line of lines) console.log(`${line.confidence.toFixed(3)}\t${line.text}`);
  }
} else {
  for await (const one of client.readMany(images)) {
    const failed = one instanceof ServiceError;
    if (failed) process.exitCode = 1;
    console.log(failed ? `\t${one.message}` : `${one.confidence.toFixed(3)}\t${one.text}`);
  }
}
