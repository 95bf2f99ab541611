// The four corners of a sheet in a photograph: dragged by mouse or finger, moved by arrow keys, and read again with.
"use strict";

const NAMES = ["Top left corner", "Top right corner", "Bottom right corner", "Bottom left corner"];
const INSET = 0.06;  // where they begin, as a fraction of the picture, when no sheet was found
const STEP = 0.005;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let corners = [];  // x and y of each, as fractions of the picture

function setCorners() {
  const { size: [width, height], outline } = pages[at];
  corners = outline.length === 4
    ? outline.map(([x, y]) => [x / width, y / height])
    : [[INSET, INSET], [1 - INSET, INSET], [1 - INSET, 1 - INSET], [INSET, 1 - INSET]];
  byId("read-pages").classList.add("setting");
  byId("corners-bar").hidden = byId("handles").hidden = false;
  byId("tip").hidden = true;
  byId("handles").replaceChildren(...corners.map(handle));
  showCorners();
  byId("handles").firstChild.focus({ preventScroll: true });
}

function handle(_, number) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "handle", ariaLabel: NAMES[number] });
  button.addEventListener("pointerdown", (event) => button.setPointerCapture(event.pointerId));
  button.addEventListener("pointermove", (event) => {
    if (!button.hasPointerCapture(event.pointerId)) return;
    const box = byId("sheet").getBoundingClientRect();
    moveCorner(number, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  });
  button.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return leaveCorners();
    const [across, down] = ARROWS[event.key] ?? [0, 0];
    if (!across && !down) return;
    event.preventDefault();
    const far = event.shiftKey ? 10 * STEP : STEP;
    moveCorner(number, corners[number][0] + across * far, corners[number][1] + down * far);
  });
  return button;
}

function moveCorner(number, x, y) {
  corners[number] = [x, y].map((place) => Math.min(Math.max(place, 0), 1));
  showCorners();
}

function placesOfCorners() {
  const [width, height] = pages[at].size;
  return corners.map(([x, y]) => [x * width, y * height]);
}

function showCorners() {
  [...byId("handles").children].forEach((button, number) => {
    const [x, y] = corners[number];
    Object.assign(button.style, { left: `${100 * x}%`, top: `${100 * y}%` });
  });
  byId("overlay").querySelector(".outline")?.remove();
  byId("overlay").append(polygon(placesOfCorners(), "outline"));
}

function leaveCorners() {
  if (byId("corners-bar").hidden) return;
  byId("read-pages").classList.remove("setting");
  byId("corners-bar").hidden = byId("handles").hidden = true;
  if (pages.length) draw();
}

byId("set-corners").addEventListener("click", setCorners);
byId("leave-corners").addEventListener("click", leaveCorners);
byId("use-corners").addEventListener("click", () => readDocument(file, placesOfCorners()));
