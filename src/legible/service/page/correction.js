// Corrections: typed or taken from another text, confirmed by Enter, held back for some seconds in which they can be undone.
"use strict";

let heldSeconds = 4;
let corrects = false;  // whether corrections are taken
let charset = new Set();
let held = null;  // { body, timer }: a correction that is not sent yet
let confirmedEmpty = false;

const SCRIPTS = ["Cyrillic", "Greek", "Arabic", "Hebrew", "Han", "Hiragana", "Katakana", "Hangul", "Thai", "Devanagari"];

// Name characters that the model cannot read, with their script where it is another one: keys of another keyboard.
function outside(text) {
  const strange = [...new Set(text.normalize("NFC"))].filter((character) => charset.size && !charset.has(character));
  return strange.map((character) => {
    const script = SCRIPTS.find((name) => new RegExp(`\\p{Script=${name}}`, "u").test(character));
    const code = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `${character.trim() || "a space"} (U+${code}${script ? `, ${script}` : ""})`;
  });
}

function warn() {
  const text = byId("right").value, strange = outside(text);
  confirmedEmpty = false;
  byId("warning").textContent = strange.length ? `This model cannot read ${strange.slice(0, 5).join(", ")}.` : "";
}

// Propose a text: it stands in its field, and only a confirming key or click sends it.
function propose(text) {
  byId("right").value = text;
  warn();
  byId("kept").textContent = "Press Enter to send it.";
  byId("right").focus();
}

function correct(event) {
  event?.preventDefault();
  const text = byId("right").value.normalize("NFC").trim();
  if (!text && !confirmedEmpty) {
    confirmedEmpty = true;
    byId("warning").textContent = "An empty text says that the image shows none. Press Enter again to send that.";
    return;
  }
  sendHeld();
  const body = JSON.stringify({ reading_id: current.reading_id, text });
  held = { body, timer: setTimeout(sendHeld, heldSeconds * 1000) };
  byId("take-back").hidden = false;
  byId("kept").textContent = `“${text || "no text"}” is sent in ${heldSeconds} seconds.`;
}

function takeBack() {
  clearTimeout(held?.timer);
  held = null;
  byId("take-back").hidden = true;
  byId("kept").textContent = "Not sent.";
  byId("right").value = current.text;
  warn();
}

// Send what is held back; also when the page is left, which `keepalive` allows.
async function sendHeld() {
  if (!held) return;
  const { body, timer } = held;
  held = null;
  clearTimeout(timer);
  byId("take-back").hidden = true;
  const headers = { "Content-Type": "application/json", ...shownKey() };
  try {
    const answer = await fetch("/feedback", { method: "POST", body, headers, keepalive: true });
    byId("kept").textContent = answer.ok ? "Thank you, kept." : (await answer.json()).error.message;
  } catch {
    byId("kept").textContent = "The service does not answer; the correction was not kept. Send it again in a moment.";
  }
}

function resetCorrection(text) {
  sendHeld();
  byId("right").value = text;
  warn();
  byId("kept").textContent = "";
}

byId("correction").addEventListener("submit", correct);
byId("right").addEventListener("input", warn);
byId("take-back").addEventListener("click", takeBack);
window.addEventListener("pagehide", sendHeld);
