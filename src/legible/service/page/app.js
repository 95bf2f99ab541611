// Read the current image; show its text, how sure each character is, and the image's statistics.
"use strict";

let last;  // what is read again with a lexicon, or without
let again;  // reads the last file once more, when a key is given
let readsPages = false;  // whether the service reads whole pages
let asked = 0;  // the request whose answer is awaited: older ones are not shown
let current;  // the reading that is shown

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

// The words for a confidence, and the name of its colour: both come of the same choice, so that they agree.
function judged(reading) {
  if (!reading.text) return ["no text found", "low"];
  if (reading.accepted) return ["sure", "high"];
  return reading.confidence >= 0.5 ? ["not sure, have a look", "middle"] : ["a guess", "low"];
}

function percent(fraction) {
  return Math.round(fraction * 100);
}

function readCurrent() {
  if (picture) return read(picture.blob, picture.name);
  if (!drawn) return showError("There is nothing to read yet: write a word, or choose an image.");
  canvas.toBlob((blob) => read(blob, "drawing.png"), "image/png");
}

function shownKey() {
  const key = sessionStorage.getItem("key");
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function useKey(event) {
  event.preventDefault();
  const key = byId("key").value.trim();
  if (!key || /[^\x20-\x7e]/.test(key)) {
    byId("key-warning").textContent = key ? "This holds characters that no key has; is the keyboard set to another script?" : "The key is empty.";
    return;
  }
  byId("key-warning").textContent = "";
  sessionStorage.setItem("key", key);
  byId("key").value = "";
  byId("ask").hidden = true;
  again?.();
}

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
    enterHistory(content, blob);
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

function forgetReading() {
  byId("result").hidden = byId("error").hidden = true;
  byId("spoken").textContent = "";
  last = undefined;
  asked += 1;
  wait(false);
}

function show(reading, milliseconds) {
  byId("error").hidden = true;
  byId("result").hidden = false;
  byId("text").replaceChildren(...reading.characters.map(character));
  if (!reading.text) byId("text").textContent = "(no text found)";
  const [words, level] = judged(reading);
  byId("sure").dataset.level = level;
  byId("meter").ariaValueNow = percent(reading.confidence);
  byId("meter").ariaValueText = `${percent(reading.confidence)} %, ${words}`;
  byId("fill").style.width = `${percent(reading.confidence)}%`;
  byId("spoken").textContent = `${reading.text || "No text found"}, ${percent(reading.confidence)} %, ${words}`;
  byId("confidence").textContent = `${percent(reading.confidence)} %, ${words}${milliseconds ? `, ${Math.round(milliseconds)} ms` : ""}`;
  byId("bundle").textContent = `bundle ${reading.bundle}`;
  byId("copied").textContent = "";
  byId("copy-text").hidden = !reading.text;
  byId("statistics").replaceChildren(...Object.entries(reading.statistics).map(row));
  const others = reading.alternatives.filter(({ confidence }) => confidence >= 0.005);
  byId("others").hidden = !others.length;
  byId("alternatives").replaceChildren(...others.map(alternative));
  resetCorrection(reading.text);
  current = reading;
}

function alternative({ text, confidence }) {
  const item = document.createElement("li");
  const shown = item.appendChild(document.createElement(corrects ? "button" : "span"));
  shown.className = "quiet";
  shown.textContent = text || "(no text)";
  shown.appendChild(document.createElement("small")).textContent = `${percent(confidence)} %`;
  if (!corrects) return item;
  shown.type = "button";
  shown.addEventListener("click", () => propose(text));
  return item;
}

async function copyText() {
  try {
    await navigator.clipboard.writeText(current.text);
    byId("copied").textContent = "Copied.";
  } catch {  // only pages from this machine or by TLS may write to the clipboard
    getSelection().selectAllChildren(byId("text"));
    byId("copied").textContent = "Marked: press Ctrl C.";
  }
}

async function readSample(event) {
  const name = event.currentTarget.dataset.image;
  const blob = await (await fetch(`/page/${name}`)).blob();
  takePicture(new File([blob], name, { type: "image/png" }));
}

async function settle() {
  try {
    const settings = await (await fetch("/page/settings.json")).json();
    corrects = settings.feedback;
    readsPages = settings.pages;
    byId("kinds").hidden = !readsPages;
    charset = new Set(settings.charset);
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
  span.title = `${percent(confidence)} %`;
  span.dataset.level = confidence >= 0.9 ? "high" : confidence >= 0.5 ? "middle" : "low";
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
byId("read").addEventListener("click", readCurrent);
byId("copy-text").addEventListener("click", copyText);
for (const sample of document.querySelectorAll(".sample")) sample.addEventListener("click", readSample);
for (const id of ["file", "camera"]) {
  byId(id).addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) takePicture(file);
    event.target.value = "";
  });
}
byId("lexicon").addEventListener("change", () => { if (last) read(...last); });
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea");
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) {
    event.preventDefault();
    return undo();
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !corrects || byId("result").hidden) return;
  const other = byId("alternatives").children[Number(event.key) - 1];
  if (event.key === "c") byId("right").select();
  else if (other) other.firstChild.click();
  else return;
  event.preventDefault();
});
canvas.addEventListener("keydown", (event) => {
  if (event.key === "Enter") readCurrent();
  if (event.key === "Escape") clearPad();
});
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) takePicture(file);
});
document.addEventListener("dragover", (event) => { event.preventDefault(); pad.classList.add("over"); });
document.addEventListener("dragleave", () => pad.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  pad.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) takePicture(file);
});
clearPad();
settle();
