// Draw, drop, paste or choose an image; see its text, how sure each character is, and the image's statistics.
"use strict";

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });
const pad = canvas.parentElement;
let drawing = null;  // the pointer that draws: a second finger does not
let drawn = false;
let last;  // what is read again with a lexicon, or without
let again;  // reads the last file once more, when a key is given
let asked = 0;  // the request whose answer is awaited: older ones are not shown

const WRITE = "write a word here, or drop or paste an image";

function hint(text) {
  byId("hint").textContent = text;
  byId("hint").hidden = !text;
}

function clearPad() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  drawn = false;
  hint(WRITE);
  byId("preview").hidden = true;
  byId("result").hidden = true;
  byId("error").hidden = true;
  byId("spoken").textContent = "";
  last = undefined;
  asked += 1;
  wait(false);
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
}

canvas.addEventListener("pointerdown", (event) => {
  if (drawing !== null) return;
  if (!byId("preview").hidden) clearPad();
  drawing = event.pointerId;
  drawn = true;
  hint("");
  canvas.setPointerCapture(event.pointerId);
  Object.assign(pen, { lineWidth: 9, lineCap: "round", lineJoin: "round", strokeStyle: "#16181c" });
  pen.beginPath();
  pen.moveTo(...place(event));
  pen.lineTo(...place(event));  // a tap is a dot
  pen.stroke();
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing) return;
  const points = event.getCoalescedEvents?.() ?? [];
  for (const point of points.length ? points : [event]) pen.lineTo(...place(point));
  pen.stroke();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => { if (event.pointerId === drawing) drawing = null; });
}

function readDrawing() {
  if (!drawn) return showError("There is nothing to read yet: write a word, or choose an image.");
  canvas.toBlob((blob) => read(blob, "drawing.png"), "image/png");
}

function readFile(file) {
  if (!file) return;
  if (readsPages && (kind() === "page" || isDocument(file))) return readDocument(file);
  const preview = byId("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  preview.onerror = () => {  // no browser shows every format that is read
    preview.hidden = true;
    hint(`${file.name || "image"} (cannot be shown here)`);
  };
  hint("");
  read(file, file.name || "pasted.png");
}

function shownKey() {
  const key = sessionStorage.getItem("key");
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function useKey(event) {
  event.preventDefault();
  sessionStorage.setItem("key", byId("key").value);
  byId("key").value = "";
  byId("ask").hidden = true;
  again?.();
}

const WORDS = {
  not_an_image: "This is not an image. Choose a PNG, JPEG, WebP, TIFF or BMP file.",
  damaged_image: "This image is damaged. Save it anew, or take another picture.",
  unsupported_format: "This kind of image is not read. Choose a PNG, JPEG, WebP, TIFF or BMP file.",
  too_large: "This image is too large. Cut out the word or the line, or make it smaller.",
  too_slow: "The image took too long to arrive. Try again, or send a smaller one.",
  busy: "The service has much to do. Try again in a moment.",
  missing_key: "This service asks for a key. Type yours and use it.",
  wrong_key: "This service asks for a key. Type yours and use it.",
};

async function read(blob, name) {
  last = [blob, name];
  again = () => read(blob, name);
  const number = ++asked;
  const form = new FormData();
  form.append("image", blob, name);
  const started = performance.now();
  wait(true);
  try {
    const query = new URLSearchParams({ statistics: "1", alternatives: "3" });
    if (byId("lexicon").checked) query.set("lexicon", byId("lexicon").value);
    const answer = await fetch(`/read?${query}`, { method: "POST", body: form, headers: shownKey() });
    const content = await answer.json();
    if (number !== asked) return;
    byId("ask").hidden = answer.status !== 401;
    if (!answer.ok) return showError(WORDS[content.error.code] ?? content.error.message);
    if (content.hint === "page" && readsPages) return readDocument(blob);
    show(content, performance.now() - started);
  } catch {
    if (number === asked) showError("The service does not answer. Try again in a moment.");
  } finally {
    if (number === asked) wait(false);
  }
}

function wait(waiting) {
  byId("wait").hidden = !waiting;
  byId("answer").ariaBusy = String(waiting);
}

function show(reading, milliseconds) {
  byId("error").hidden = true;
  byId("result").hidden = false;
  byId("text").replaceChildren(...reading.characters.map(character));
  if (!reading.text) byId("text").textContent = "(no text found)";
  byId("meter").value = reading.confidence;
  const sure = reading.accepted ? "sure enough to accept" : "not sure enough to accept";
  byId("spoken").textContent = `${reading.text || "No text found"}. ${Math.round(reading.confidence * 100)} percent, ${sure}.`;
  byId("confidence").textContent = `${Math.round(reading.confidence * 100)} %, ${sure}, ${Math.round(milliseconds)} ms`;
  byId("bundle").textContent = `bundle ${reading.bundle}`;
  byId("statistics").replaceChildren(...Object.entries(reading.statistics).map(row));
  const others = reading.alternatives.filter(({ confidence }) => confidence >= 0.005);
  byId("others").hidden = !others.length;
  byId("alternatives").replaceChildren(...others.map(alternative));
  current = reading;
  byId("right").value = reading.text;
  byId("kept").textContent = "";
}

let corrects = false;  // whether corrections are taken
let readsPages = false;  // whether the service reads whole pages
let current;  // the reading that a correction is for

function alternative({ text, confidence }) {
  const item = document.createElement("li");
  const shown = item.appendChild(document.createElement(corrects ? "button" : "span"));
  shown.className = "quiet";
  shown.textContent = text || "(no text)";
  shown.appendChild(document.createElement("small")).textContent = `${Math.round(confidence * 100)} %`;
  if (!corrects) return item;
  shown.type = "button";
  shown.addEventListener("click", () => {
    byId("right").value = text;
    correct();
  });
  return item;
}

async function correct(event) {
  event?.preventDefault();
  const body = JSON.stringify({ reading_id: current.reading_id, text: byId("right").value });
  const headers = { "Content-Type": "application/json", ...shownKey() };
  try {
    const answer = await fetch("/feedback", { method: "POST", body, headers });
    byId("kept").textContent = answer.ok ? "Thank you, kept." : (await answer.json()).error.message;
  } catch {
    byId("kept").textContent = "The service does not answer. Try again in a moment.";
  }
}

async function settle() {
  try {
    const settings = await (await fetch("/page/settings.json")).json();
    corrects = settings.feedback;
    readsPages = settings.pages;
    byId("kinds").hidden = !readsPages;
    byId("correction").hidden = byId("digits").hidden = !corrects;
    const [lexicon] = settings.lexicons;
    byId("prefer").hidden = !lexicon;
    byId("lexicon").value = lexicon;
    byId("language").textContent = lexicon ? lexicon[0].toUpperCase() + lexicon.slice(1) : "";
  } catch {
    showError("The service is not ready. Load the page again in a moment.");
  }
}

function character({ text, confidence }) {
  const span = document.createElement("span");
  span.textContent = text;
  span.title = `${Math.round(confidence * 100)} %`;
  span.style.opacity = 0.4 + 0.6 * confidence;
  return span;
}

function row([name, value]) {
  const tr = document.createElement("tr");
  for (const content of [name.replaceAll("_", " "), value.toPrecision(4)]) {
    tr.appendChild(document.createElement("td")).textContent = content;
  }
  return tr;
}

function showError(message) {
  byId("result").hidden = true;
  byId("spoken").textContent = "";
  byId("error").hidden = false;
  byId("error").textContent = message;
}

byId("ask").addEventListener("submit", useKey);
byId("read").addEventListener("click", readDrawing);
byId("clear").addEventListener("click", clearPad);
for (const id of ["file", "camera"]) {
  byId(id).addEventListener("change", (event) => { readFile(event.target.files[0]); event.target.value = ""; });
}
byId("correction").addEventListener("submit", correct);
byId("lexicon").addEventListener("change", () => { if (last) read(...last); });
document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey;
  if (writing || !corrects || byId("result").hidden) return;
  const other = byId("alternatives").children[Number(event.key) - 1];
  if (event.key === "c") byId("right").select();
  else if (other) other.firstChild.click();
  else return;
  event.preventDefault();
});
canvas.addEventListener("keydown", (event) => {
  if (event.key === "Enter") readDrawing();
  if (event.key === "Escape") clearPad();
});
document.addEventListener("paste", (event) => readFile([...event.clipboardData.files][0]));
document.addEventListener("dragover", (event) => { event.preventDefault(); pad.classList.add("over"); });
document.addEventListener("dragleave", () => pad.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  pad.classList.remove("over");
  readFile(event.dataTransfer.files[0]);
});
clearPad();
settle();
