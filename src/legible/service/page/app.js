// Draw, drop, paste or choose an image; see its text, how sure each character is, and the image's statistics.
"use strict";

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });
const pad = canvas.parentElement;
let drawing = false;
let drawn = false;

function clearPad() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  drawn = false;
  byId("hint").hidden = false;
  byId("preview").hidden = true;
  byId("result").hidden = true;
  byId("error").hidden = true;
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
}

canvas.addEventListener("pointerdown", (event) => {
  drawing = drawn = true;
  byId("hint").hidden = true;
  canvas.setPointerCapture(event.pointerId);
  pen.beginPath();
  pen.moveTo(...place(event));
});
canvas.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  pen.lineWidth = 9;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = "#16181c";
  pen.lineTo(...place(event));
  pen.stroke();
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { drawing = false; });

function readDrawing() {
  if (!drawn) return showError("There is nothing to read yet: write a word, or choose an image.");
  canvas.toBlob((blob) => read(blob, "drawing.png"), "image/png");
}

function readFile(file) {
  if (!file) return;
  const preview = byId("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  byId("hint").hidden = true;
  read(file, file.name || "pasted.png");
}

let last;  // what is read again once a key is given

function shownKey() {
  const key = sessionStorage.getItem("key");
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function useKey() {
  sessionStorage.setItem("key", byId("key").value);
  byId("key").value = "";
  byId("ask").hidden = true;
  read(...last);
}

async function read(blob, name) {
  last = [blob, name];
  const form = new FormData();
  form.append("image", blob, name);
  const started = performance.now();
  try {
    const answer = await fetch("/read?statistics=1", { method: "POST", body: form, headers: shownKey() });
    const content = await answer.json();
    byId("ask").hidden = answer.status !== 401;
    if (!answer.ok) return showError(content.error.message);
    show(content, performance.now() - started);
  } catch {
    showError("The service does not answer. Try again in a moment.");
  }
}

function show(reading, milliseconds) {
  byId("error").hidden = true;
  byId("result").hidden = false;
  byId("text").replaceChildren(...reading.characters.map(character));
  if (!reading.text) byId("text").textContent = "(no text found)";
  byId("meter").value = reading.confidence;
  const sure = reading.accepted ? "sure enough to accept" : "not sure enough to accept";
  byId("confidence").textContent = `${Math.round(reading.confidence * 100)} % ${sure}, ${Math.round(milliseconds)} ms`;
  byId("bundle").textContent = `bundle ${reading.bundle}`;
  byId("statistics").replaceChildren(...Object.entries(reading.statistics).map(row));
}

function character({ text, confidence }) {
  const span = document.createElement("span");
  span.textContent = text;
  span.title = `${Math.round(confidence * 100)} %`;
  span.style.opacity = 0.35 + 0.65 * confidence;
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
  byId("error").hidden = false;
  byId("error").textContent = message;
}

byId("use").addEventListener("click", useKey);
byId("key").addEventListener("keydown", (event) => { if (event.key === "Enter") useKey(); });
byId("read").addEventListener("click", readDrawing);
byId("clear").addEventListener("click", clearPad);
byId("file").addEventListener("change", (event) => { readFile(event.target.files[0]); event.target.value = ""; });
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
