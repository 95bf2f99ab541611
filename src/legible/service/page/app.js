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
    const query = new URLSearchParams({ statistics: "1", alternatives: "3" });
    if (byId("lexicon").checked) query.set("lexicon", byId("lexicon").value);
    const answer = await fetch(`/read?${query}`, { method: "POST", body: form, headers: shownKey() });
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
  const others = reading.alternatives.filter(({ confidence }) => confidence >= 0.005);
  byId("others").hidden = !others.length;
  byId("alternatives").replaceChildren(...others.map(alternative));
  current = reading;
  byId("right").value = reading.text;
  byId("kept").textContent = "";
}

let current;  // the reading that a correction is for

function alternative({ text, confidence }) {
  const item = document.createElement("li");
  const button = item.appendChild(document.createElement("button"));
  button.type = "button";
  button.className = "quiet";
  button.textContent = text || "(no text)";
  button.appendChild(document.createElement("small")).textContent = `${Math.round(confidence * 100)} %`;
  button.addEventListener("click", () => {
    byId("right").value = text;
    if (!byId("correction").hidden) correct();
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
  const settings = await (await fetch("/page/settings.json")).json();
  byId("correction").hidden = !settings.feedback;
  const [lexicon] = settings.lexicons;
  byId("prefer").hidden = !lexicon;
  byId("lexicon").value = lexicon;
  byId("language").textContent = lexicon ? lexicon[0].toUpperCase() + lexicon.slice(1) : "";
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
for (const id of ["file", "camera"]) {
  byId(id).addEventListener("change", (event) => { readFile(event.target.files[0]); event.target.value = ""; });
}
byId("correction").addEventListener("submit", correct);
byId("lexicon").addEventListener("change", () => { if (last) read(...last); });
document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey;
  if (event.key !== "c" || writing || byId("result").hidden || byId("correction").hidden) return;
  event.preventDefault();
  byId("right").select();
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
