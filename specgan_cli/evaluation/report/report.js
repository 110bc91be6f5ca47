"use strict";
const ZOOM = 4;

function cellValue(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent : cell.dataset.value;
}

function compare(first, second) {
  const a = Number(first), b = Number(second);
  if (first === "" || second === "") return (first === "") - (second === "");
  if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  return String(first).localeCompare(String(second), undefined, { numeric: true });
}

function sortTable(header) {
  const table = header.closest("table");
  const column = [...header.parentNode.children].indexOf(header);
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((one, two) => {
    const a = cellValue(one, column), b = cellValue(two, column);
    if (a === "" || b === "") return compare(a, b);
    return descending ? compare(b, a) : compare(a, b);
  });
  table.tBodies[0].append(...rows);
}

function showLens(strip, x, y) {
  strip.classList.add("active");
  strip.dataset.x = x;
  strip.dataset.y = y;
  for (const view of strip.querySelectorAll(".view")) {
    const lens = view.querySelector(".lens");
    const width = view.clientWidth, height = view.clientHeight;
    lens.style.left = `${x * width}px`;
    lens.style.top = `${y * height}px`;
    const inner = lens.clientWidth;
    lens.style.backgroundImage = `url("${view.querySelector("img").src}")`;
    lens.style.backgroundSize = `${ZOOM * width}px ${ZOOM * height}px`;
    const left = inner / 2 - x * width * ZOOM, top = inner / 2 - y * height * ZOOM;
    lens.style.backgroundPosition = `${left}px ${top}px`;
  }
}

function place(event, view) {
  const box = view.getBoundingClientRect();
  const clamp = (value) => Math.min(Math.max(value, 0), 1);
  return [
    clamp((event.clientX - box.left) / box.width),
    clamp((event.clientY - box.top) / box.height),
  ];
}

function moveByKey(strip, event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!(event.key in step)) return;
  event.preventDefault();
  const [dx, dy] = step[event.key];
  const at = (name, change) => {
    const old = Number(strip.dataset[name] ?? 0.5);
    return Math.min(Math.max(old + change * 0.02, 0), 1);
  };
  showLens(strip, at("x", dx), at("y", dy));
}

function compareIn(box) {
  const figures = [...box.previousElementSibling.querySelectorAll("figure")];
  const range = box.querySelector("input"), pair = box.querySelector(".pair");
  const images = pair.querySelectorAll("img"), choices = box.querySelectorAll("select");
  if (figures.length < 2) return;
  const names = figures.map((figure) => figure.querySelector("img").alt);
  const move = () => pair.style.setProperty("--at", `${range.value}%`);
  const show = (side) => {
    images[side].src = figures[choices[side].selectedIndex].querySelector("img").src;
    images[side].alt = names[choices[side].selectedIndex];
  };
  for (const side of [0, 1]) {
    choices[side].append(...names.map((name) => new Option(name)));
    const after = names.indexOf(box.dataset.after);
    choices[side].selectedIndex = side === 0 ? 0 : after > 0 ? after : 1;
    choices[side].addEventListener("change", () => show(side));
    show(side);
  }
  const drag = (event) => {
    if (event.type === "pointermove" && event.buttons === 0) return;
    range.value = 100 * place(event, pair)[0];
    move();
  };
  range.addEventListener("input", move);
  pair.addEventListener("pointerdown", drag);
  pair.addEventListener("pointermove", drag);
  pair.addEventListener("dragstart", (event) => event.preventDefault());
  move();
  box.hidden = false;
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortTable(button.closest("th")));
}
for (const strip of document.querySelectorAll(".strip")) {
  for (const view of strip.querySelectorAll(".view")) {
    view.addEventListener("pointermove", (event) => showLens(strip, ...place(event, view)));
  }
  strip.addEventListener("pointerleave", () => strip.classList.remove("active"));
  strip.addEventListener("keydown", (event) => moveByKey(strip, event));
}
for (const box of document.querySelectorAll(".compare")) compareIn(box);
