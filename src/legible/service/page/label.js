"use strict";
// One image at a time: the reading is typed already, Enter keeps what stands there. The service decides what comes next.

const at = (id) => document.getElementById(id);
const DRAFT = "legible-label-draft";
let key = sessionStorage.getItem("legible-label-key") || "";
let item = null;
let charset = null;
let own = 0;
let isBusy = false;
let picture = "";

async function call(path, body) {
  const request = { headers: { Authorization: `Bearer ${key}` } };
  if (body !== undefined) {
    request.method = "POST";
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const answer = await fetch(path, request);
  if (answer.ok) return answer;
  const error = new Error(`the service answered ${answer.status}`);
  error.status = answer.status;
  try {
    error.message = (await answer.json()).error.message;
  } catch {
    // something before the service answered
  }
  throw error;
}

// Run one step at a time; an error is said, and what was typed stays.
async function step(act) {
  if (isBusy) return;
  isBusy = true;
  at("said").textContent = "";
  try {
    show(await (await act()).json());
  } catch (error) {
    await fail(error);
  } finally {
    isBusy = false;
  }
}

function tell(error) {
  if (error.status === 401) {
    sessionStorage.removeItem("legible-label-key");
    at("ask").hidden = false;
    at("work").hidden = true;
    at("key").focus();
  }
  at("said").textContent = error.status ? error.message : "The service does not answer. What you typed is still here; press Enter to send it again.";
}

// Say what went wrong; where the image was labelled or deleted meanwhile, show the next one.
async function fail(error) {
  tell(error);
  if (error.status === 409 || error.status === 404) show(await (await call("/label/next")).json());
}

function show(state) {
  sessionStorage.setItem("legible-label-key", key);
  item = state.item;
  charset = new Set(state.charset);
  own = state.progress.own;
  at("ask").hidden = true;
  at("work").hidden = !item;
  at("done").hidden = Boolean(item);
  at("who").textContent = `Type what each image shows, as it stands there. You are ${state.labeller}.`;
  showProgress(state.progress);
  if (!item) return;
  const said = item.label && item.label.verdict === "text" ? item.label.text : item.read;
  const draft = JSON.parse(localStorage.getItem(DRAFT) || "null");
  at("text").value = draft && draft.reading_id === item.reading_id ? draft.text : said;
  warn();
  at("text").focus();
  at("text").select();
  showImage(item.reading_id).catch(tell);
}

async function showImage(readingId) {
  at("image").removeAttribute("src");
  const blob = await (await call(`/label/image/${encodeURIComponent(readingId)}`)).blob();
  if (item.reading_id !== readingId) return;
  if (picture) URL.revokeObjectURL(picture);
  picture = URL.createObjectURL(blob);
  at("image").src = picture;
}

function showProgress(progress) {
  at("bar").max = Math.max(progress.images, 1);
  at("bar").value = progress.labelled;
  const parts = [`${progress.labelled} of ${progress.images} labelled`, `${progress.own} by you`, `${progress.left} left for you`];
  if (progress.unseen) parts.push(`${progress.unseen} more to look at`);
  if (progress.compared) parts.push(`labellers agree on ${progress.agreed} of ${progress.compared}`);
  at("progress").textContent = parts.join(", ");
}

// Say at once what the model cannot learn: characters outside its charset.
function warn() {
  const outside = [...new Set(at("text").value.normalize("NFC"))].filter((character) => charset && !charset.has(character));
  const named = outside.map((c) => `${c.trim() ? c : "a space"} (U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")})`);
  at("warning").textContent = named.length ? `Outside the charset of this model: ${named.join(", ")}. It is kept as you typed it.` : "";
}

function keep(verdict) {
  if (!item) return;
  const text = verdict === "text" ? at("text").value.normalize("NFC").trim() : "";
  if (verdict === "text" && !text) {
    at("said").textContent = "Type what the image shows, or say that it is not text.";
    return;
  }
  const label = { reading_id: item.reading_id, verdict, text, revision: item.revision };
  step(async () => {
    const answer = await call("/label", label);
    localStorage.removeItem(DRAFT);
    return answer;
  });
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  key = at("key").value.trim();
  at("key").value = "";
  step(() => call("/label/next"));
});
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  keep("text");
});
at("text").addEventListener("input", () => {
  warn();
  if (item) localStorage.setItem(DRAFT, JSON.stringify({ reading_id: item.reading_id, text: at("text").value }));
});
for (const verdict of ["unreadable", "not_text", "skip"]) at(verdict).addEventListener("click", () => keep(verdict));
at("undo").addEventListener("click", () => step(() => call("/label/undo", { own })));
at("again").addEventListener("click", () => step(() => call("/label/next")));
document.addEventListener("keydown", (event) => {
  if (at("work").hidden && at("done").hidden) return;
  const named = { Escape: "skip" }[event.key] || (event.altKey && { KeyU: "unreadable", KeyN: "not_text", KeyZ: "undo" }[event.code]);
  if (!named || event.ctrlKey || event.metaKey || event.isComposing) return;
  event.preventDefault();
  at(named).click();
});

if (key) step(() => call("/label/next"));
else at("key").focus();
