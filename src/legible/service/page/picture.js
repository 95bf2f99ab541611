// The one current image: what was drawn on the pad, or a picture that was chosen, dropped, pasted or taken.
"use strict";

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });
const pad = canvas.parentElement;
const WRITE = "write a word here, or drop or paste an image";
const MOST_UNDONE = 20;
let drawing = null;  // the pointer that draws or cuts out: a second finger does not
let drawn = false;
let picture = null;  // { blob, name }: the picture, in place of a drawing
let former = [];  // what undo goes back to: { pixels, drawn } of a drawing, { picture } of a picture
let corner = null;  // where cutting out began

function hint(text) {
  byId("hint").textContent = text;
  byId("hint").hidden = !text;
}

function remember(state) {
  former = [...former, state].slice(-MOST_UNDONE);
  byId("undo").disabled = false;
}

function wipe() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  drawn = false;
}

function clearPad() {
  wipe();
  forgetPicture();
  former = [];
  byId("undo").disabled = true;
  hint(WRITE);
  forgetReading();
}

function forgetPicture() {
  picture = null;
  byId("preview").hidden = byId("edit").hidden = true;
  stopCutting();
}

// Take a picture for the current image: whatever was drawn before is gone from the pad, and from what is read.
function takePicture(file) {
  if (readsPages && (kind() === "page" || isDocument(file))) return readDocument(file);
  wipe();
  former = [];
  byId("undo").disabled = true;
  showPicture({ blob: file, name: file.name || "pasted.png" });
  readCurrent();
}

function showPicture(next) {
  picture = next;
  const preview = byId("preview");
  stopCutting();
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(next.blob);
  preview.hidden = byId("edit").hidden = false;
  preview.onerror = () => {  // no browser shows every format that is read
    preview.hidden = byId("edit").hidden = true;
    hint(`${next.name} (cannot be shown here)`);
  };
  hint("");
}

// Make another picture of the shown one: `draw` gets a pen of the given size in pixels, and the image.
async function change(width, height, draw) {
  const image = await createImageBitmap(picture.blob);
  const sheet = document.createElement("canvas");
  const [w, h] = typeof width === "function" ? width(image) : [width, height];
  Object.assign(sheet, { width: Math.max(1, Math.round(w)), height: Math.max(1, Math.round(h)) });
  draw(sheet.getContext("2d"), image);
  const blob = await new Promise((done) => sheet.toBlob(done, "image/png"));
  remember({ picture });
  showPicture({ blob, name: "changed.png" });
  readCurrent();
}

function turn(quarters) {
  return change((image) => [image.height, image.width], 0, (brush, image) => {
    brush.translate(image.height / 2, image.width / 2);
    brush.rotate(quarters * Math.PI / 2);
    brush.drawImage(image, -image.width / 2, -image.height / 2);
  });
}

function cut({ left, top, width, height }) {
  return change(width, height, (brush, image) => brush.drawImage(image, -left, -top));
}

// Return where a point of the pad is in the picture, in its own pixels: it is shown whole, in the middle of its box.
function inPicture(x, y) {
  const preview = byId("preview"), box = preview.getBoundingClientRect(), style = getComputedStyle(preview);
  const margin = parseFloat(style.paddingLeft);
  const inner = { width: box.width - 2 * margin, height: box.height - 2 * margin };
  const scale = Math.min(inner.width / preview.naturalWidth, inner.height / preview.naturalHeight);
  const left = box.left + margin + (inner.width - preview.naturalWidth * scale) / 2;
  const top = box.top + margin + (inner.height - preview.naturalHeight * scale) / 2;
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  return [within((x - left) / scale, preview.naturalWidth), within((y - top) / scale, preview.naturalHeight)];
}

function stopCutting() {
  corner = null;
  byId("frame").hidden = true;
  byId("crop").ariaPressed = "false";
  pad.classList.remove("cutting");
}

function isCutting() {
  return byId("crop").ariaPressed === "true";
}

function drawFrame(event) {
  const box = pad.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const [x0, y0] = [corner.clientX - box.left, corner.clientY - box.top];
  Object.assign(byId("frame").style, {
    left: `${Math.min(x, x0)}px`, top: `${Math.min(y, y0)}px`, width: `${Math.abs(x - x0)}px`, height: `${Math.abs(y - y0)}px`,
  });
  byId("frame").hidden = false;
}

function endFrame(event) {
  const [x0, y0] = inPicture(corner.clientX, corner.clientY), [x1, y1] = inPicture(event.clientX, event.clientY);
  stopCutting();
  const area = { left: Math.min(x0, x1), top: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0) };
  if (area.width >= 4 && area.height >= 4) cut(area);
}

function undo() {
  const state = former.pop();
  byId("undo").disabled = !former.length;
  if (!state) return;
  forgetReading();
  if (state.picture) {
    showPicture(state.picture);
    readCurrent();
    return;
  }
  pen.putImageData(state.pixels, 0, 0);
  drawn = state.drawn;
  hint(drawn ? "" : WRITE);
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
}

canvas.addEventListener("pointerdown", (event) => {
  if (drawing !== null) return;
  drawing = event.pointerId;
  canvas.setPointerCapture(event.pointerId);
  if (isCutting()) {
    corner = event;
    return;
  }
  if (picture) clearPad();
  remember({ pixels: pen.getImageData(0, 0, canvas.width, canvas.height), drawn });
  drawn = true;
  hint("");
  Object.assign(pen, { lineWidth: 9, lineCap: "round", lineJoin: "round", strokeStyle: "#16181c" });
  pen.beginPath();
  pen.moveTo(...place(event));
  pen.lineTo(...place(event));  // a tap is a dot
  pen.stroke();
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing) return;
  if (corner) return drawFrame(event);
  const points = event.getCoalescedEvents?.() ?? [];
  for (const point of points.length ? points : [event]) pen.lineTo(...place(point));
  pen.stroke();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => {
    if (event.pointerId !== drawing) return;
    drawing = null;
    if (corner && end === "pointerup") endFrame(event);
    else if (corner) stopCutting();
  });
}
byId("left").addEventListener("click", () => turn(-1));
byId("right-turn").addEventListener("click", () => turn(1));
byId("crop").addEventListener("click", () => {
  const starts = !isCutting();
  stopCutting();
  byId("crop").ariaPressed = String(starts);
  pad.classList.toggle("cutting", starts);
});
byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", clearPad);
