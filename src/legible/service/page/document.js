// Whole pages: the picture of each with its lines over it, their texts beside it, corrections, copies and files.
"use strict";

// What browsers show by themselves as it is read: they do not turn a WebP by its EXIF, as the service does.
const SHOWN = new Set(["image/png", "image/jpeg", "image/bmp"]);
const DOCUMENTS = /\.(pdf|tiff?)$/i;
const SVG = "http://www.w3.org/2000/svg";
const PAGE_WORDS = {
  ...WORDS,
  not_an_image: "This is no picture or PDF. Choose a PDF, TIFF, PNG, JPEG, WebP or BMP file.",
  damaged_image: "This file is damaged. Save it anew, or take another picture.",
  unsupported_format: "This kind of file is not read. Choose a PDF, TIFF, PNG, JPEG, WebP or BMP file.",
  locked: "This PDF is locked by a password. Save it without one, and send it again.",
  busy: "Other documents are being read. Try again in a moment.",
};
let file;  // the document that is shown
let pages = [];  // as they were answered, with what was corrected
let at = 0;  // the page that is shown
let chosen = -1;  // the line that is chosen on it
let stopping;  // stops the reading that is under way

function isDocument(candidate) {
  return candidate.type === "application/pdf" || candidate.type === "image/tiff" || DOCUMENTS.test(candidate.name ?? "");
}

function kind() {
  return document.body.dataset.kind;
}

function useKind(name) {
  document.body.dataset.kind = name;
  document.querySelector(`[name=kind][value=${name}]`).checked = true;
  hint(name === "page" ? "drop or paste a page here: a photograph, a scan or a PDF" : WRITE);
  if (name === "word") {
    stopping?.abort();
    pages = [];
    byId("document").hidden = true;
    document.body.classList.remove("has-document");
    clearPad();
  }
}

function linesOf(page) {
  return page.blocks.flatMap((block) => block.lines);
}

async function readDocument(candidate, corners) {
  stopping?.abort();
  const mine = stopping = new AbortController();
  again = () => readDocument(candidate, corners);
  useKind("page");
  leaveCorners();
  beginReading();
  const started = performance.now();
  const ticking = setInterval(() => { byId("elapsed").textContent = `Reading… ${Math.round((performance.now() - started) / 1000)} s`; }, 500);
  try {
    const query = new URLSearchParams({ pictures: SHOWN.has(candidate.type) ? "0" : "1" });
    if (corners) query.set("corners", corners.flat().map(Math.round).join(","));
    const answer = await ask(query, candidate, null, mine.signal);
    if (!answer) return;
    ({ pages } = await answer.json());
    showDocument(candidate, performance.now() - started);
  } catch (fault) {
    if (fault.name !== "AbortError") complain("The service does not answer. Try again in a moment.");
    else if (mine === stopping) say("Stopped.");
  } finally {
    clearInterval(ticking);
    if (mine === stopping) byId("reading-bar").hidden = true;
  }
}

async function ask(query, candidate, reading, signal) {
  const form = new FormData();
  form.append("image", candidate, candidate.name || "page");
  if (reading) form.append("reading", new Blob([reading], { type: "application/json" }), "reading.json");
  const answer = await fetch(`/read_page?${query}`, { method: "POST", body: form, headers: shownKey(), signal });
  byId("ask").hidden = answer.status !== 401;
  if (answer.ok) return answer;
  const { error } = await answer.json();
  complain(PAGE_WORDS[error.code] ?? `This cannot be read: ${error.message}.`);
  return null;
}

function beginReading() {
  byId("document").hidden = false;
  byId("read-pages").hidden = true;
  byId("error").hidden = true;
  byId("result").hidden = true;
  byId("reading-bar").hidden = false;
  byId("elapsed").textContent = "Reading…";
  say("");
}

function showDocument(candidate, milliseconds) {
  file = candidate;
  document.body.classList.add("has-document");
  byId("read-pages").hidden = false;
  const lines = pages.flatMap(linesOf);
  const doubtful = lines.filter((line) => !line.accepted).length;
  const count = pages.length === 1 ? "" : `${pages.length} pages, `;
  say(`${count}${lines.length} ${lines.length === 1 ? "line" : "lines"}, ${doubtful} doubtful, ${(milliseconds / 1000).toFixed(1)} s.`);
  showPage(0);
}

function showPage(number) {
  at = number;
  chosen = -1;
  const page = pages[at];
  const picture = byId("picture");
  URL.revokeObjectURL(picture.src);
  picture.src = page.picture ?? URL.createObjectURL(file);
  picture.style.aspectRatio = page.size.join(" / ");
  byId("sheet").parentElement.style.setProperty("--aspect", page.size[0] / page.size[1]);
  byId("steps").hidden = pages.length < 2;
  byId("where").textContent = `Page ${at + 1} of ${pages.length}`;
  byId("previous").disabled = at === 0;
  byId("next").disabled = at === pages.length - 1;
  byId("set-corners").hidden = pages.length > 1 || page.source !== "image";
  byId("nothing").hidden = linesOf(page).length > 0;
  byId("tip").hidden = true;
  byId("overlay").setAttribute("viewBox", `0 0 ${page.size.join(" ")}`);
  draw();
}

function draw() {
  const page = pages[at];
  const lines = linesOf(page);
  byId("next-doubtful").hidden = lines.every((line) => line.accepted);
  const outline = page.outline.length ? [polygon(page.outline, "outline")] : [];
  byId("overlay").replaceChildren(...outline, ...lines.map(lineOnPicture));
  byId("lines").replaceChildren(...page.blocks.flatMap((block) => block.lines.map((line, place) => lineInList(line, lines.indexOf(line), place === 0))));
}

function polygon(corners, name) {
  const shape = document.createElementNS(SVG, "polygon");
  shape.setAttribute("points", corners.map((corner) => corner.join(",")).join(" "));
  shape.setAttribute("class", name);
  return shape;
}

function lineOnPicture(line, number) {
  const shape = polygon(line.polygon, line.accepted ? "" : "doubtful");
  shape.addEventListener("pointerenter", () => showTip(number));
  shape.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") byId("tip").hidden = true; });
  shape.addEventListener("click", () => { choose(number); showTip(number); });
  shape.addEventListener("dblclick", () => edit(number));
  return shape;
}

function sureness(line) {
  if (line.corrected) return "corrected";
  return `${Math.round(line.confidence * 100)} %${line.accepted ? "" : ", doubtful"}`;
}

function lineInList(line, number, isFirst) {
  const item = document.createElement("li");
  item.className = `${isFirst ? "block " : ""}${line.accepted ? "" : "doubtful"}`;
  const shown = item.appendChild(document.createElement("button"));
  shown.type = "button";
  shown.className = "line";
  shown.appendChild(document.createElement("span")).textContent = line.text;
  shown.appendChild(document.createElement("small")).textContent = sureness(line);
  shown.addEventListener("click", () => edit(number));
  shown.addEventListener("focus", () => mark(number));
  shown.addEventListener("pointerenter", () => mark(number));
  return item;
}

function showTip(number) {
  const page = pages[at];
  const line = linesOf(page)[number];
  const [xs, ys] = [0, 1].map((axis) => line.polygon.map((corner) => corner[axis]));
  const tip = byId("tip");
  tip.hidden = false;
  byId("tip-text").textContent = line.text;
  byId("tip-sure").textContent = sureness(line);
  byId("tip-correct").onclick = () => edit(number);
  const isHigh = Math.min(...ys) < 0.12 * page.size[1];
  tip.classList.toggle("below", isHigh);
  tip.style.top = `${100 * (isHigh ? Math.max(...ys) : Math.min(...ys)) / page.size[1]}%`;
  tip.style.left = `${Math.min(100 * Math.min(...xs) / page.size[0], 60)}%`;
}

function mark(number) {
  chosen = number;
  const shapes = byId("overlay").querySelectorAll("polygon:not(.outline)");
  shapes.forEach((shape, place) => shape.classList.toggle("chosen", place === number));
  [...byId("lines").children].forEach((item, place) => item.classList.toggle("chosen", place === number));
}

function choose(number) {
  mark(number);
  const item = byId("lines").children[number];
  item?.querySelector("button")?.focus({ preventScroll: true });
  if (matchMedia("(min-width: 50rem)").matches) item?.scrollIntoView({ block: "nearest" });
}

function edit(number) {
  const line = linesOf(pages[at])[number];
  mark(number);
  const form = document.createElement("form");
  form.className = "edit";
  const input = form.appendChild(document.createElement("input"));
  Object.assign(input, { value: line.text, maxLength: 1000, autocomplete: "off", spellcheck: false, ariaLabel: "The line should read" });
  for (const [text, name] of [["Save", ""], ["Cancel", "quiet"]]) {
    const button = form.appendChild(document.createElement("button"));
    Object.assign(button, { textContent: text, className: name, type: name ? "button" : "submit" });
    if (name) button.addEventListener("click", () => leave(number));
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); correctLine(number, input.value); });
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") leave(number); });
  byId("tip").hidden = true;
  byId("lines").children[number].replaceChildren(form);
  input.focus();
  input.select();
}

function leave(number) {
  draw();
  choose(number);
}

async function correctLine(number, text) {
  const line = linesOf(pages[at])[number];
  Object.assign(line, { text: text.trim(), accepted: true, corrected: true });
  leave(number);
  if (!corrects || !line.reading_id) return say("Corrected in what you copy and download.");
  const headers = { "Content-Type": "application/json", ...shownKey() };
  try {
    const body = JSON.stringify({ reading_id: line.reading_id, text: line.text });
    const answer = await fetch("/feedback", { method: "POST", body, headers });
    say(answer.ok ? "Corrected, and sent. Thank you." : `Corrected here; it was not kept: ${(await answer.json()).error.message}.`);
  } catch {
    say("Corrected here; the service does not answer.");
  }
}

function textOf(page) {
  const rows = (block) => Object.values(Object.groupBy(block.lines, (line) => line.row)).map((row) => row.map((line) => line.text).join("\t"));
  return page.blocks.map((block) => rows(block).join("\n")).join("\n\n");
}

async function copyAll() {
  const text = pages.map(textOf).join("\n\n");
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // pages without TLS may not
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("Copied.");
}

async function download() {
  const form = byId("format").value;
  const reading = JSON.stringify({ pages: pages.map(({ picture, ...page }) => page) });
  say("Writing the file…");
  try {
    const answer = await ask(new URLSearchParams({ format: form }), file, reading);
    if (!answer) return;
    const name = /filename="document([^"]*)"/.exec(answer.headers.get("content-disposition"))?.[1] ?? "";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = (file.name || "page").replace(/\.[^.]*$/, "") + name;
    link.click();
    URL.revokeObjectURL(link.href);
    say(`Saved as ${link.download}.`);
  } catch {
    complain("The service does not answer. Try again in a moment.");
  }
}

function say(text) {
  byId("said").textContent = text;
}

function complain(text) {
  say("");
  byId("error").hidden = false;
  byId("error").textContent = text;
}

function nextDoubtful() {
  const lines = linesOf(pages[at]);
  const order = lines.map((_, place) => (chosen + 1 + place) % lines.length);
  const found = order.find((place) => !lines[place].accepted);
  if (found !== undefined) edit(found);
}

function step(by) {
  const number = at + by;
  if (number >= 0 && number < pages.length) showPage(number);
}

byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("next-doubtful").addEventListener("click", nextDoubtful);
byId("copy").addEventListener("click", copyAll);
byId("download").addEventListener("click", download);
byId("stop").addEventListener("click", () => stopping.abort());
for (const radio of document.querySelectorAll("[name=kind]")) radio.addEventListener("change", () => useKind(radio.value));
document.addEventListener("keydown", (event) => {
  if (!pages.length || event.target.matches("input, textarea, select, .handle") || event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in moves && event.target.matches(".line")) choose(Math.min(Math.max(chosen + moves[event.key], 0), byId("lines").children.length - 1));
  else if (event.key === "PageDown") step(1);
  else if (event.key === "PageUp") step(-1);
  else if (event.key === "n") nextDoubtful();
  else return;
  event.preventDefault();
});
