"use strict";
// Long tables of a report: searched, filtered, sorted, and shown by pages. Without this script their
// first rows stand in the page. Nothing is fetched, and texts become text nodes only.

const PAGE = 100;
const count = (number) => number.toLocaleString("en");

function longTable(box) {
  // A column is {values, ranks, cells, tones}: cell i is values[cells[i]], to be ordered by rank.
  const columns = JSON.parse(box.querySelector("script").textContent);
  const heads = [...box.querySelectorAll("th")];
  const text = box.querySelector("input");
  const selects = [...box.querySelectorAll("select")];
  const lower = columns.map((column) => column.values.map((value) => value.toLowerCase()));
  const inSource = Int32Array.from(columns[0].cells, (_, row) => row);

  let order = inSource;
  let shown = order;
  let start = 0;
  let sorted = null; // {place, sign}

  function find() {
    const wanted = text.value.trim().toLowerCase();
    const found = lower.map((values) => values.map((value) => value.includes(wanted)));
    const chosen = selects.filter((select) => select.value !== "");
    shown = order.filter(
      (row) =>
        chosen.every((select) => columns[select.dataset.column].cells[row] === Number(select.value)) &&
        columns.some(({ cells }, place) => found[place][cells[row]]),
    );
    show(0);
  }

  function sort(place) {
    if (sorted === null || sorted.place !== place) sorted = { place, sign: 1 };
    else sorted = sorted.sign === 1 ? { place, sign: -1 } : null;
    if (sorted === null) {
      order = inSource;
    } else {
      const { ranks, cells } = columns[place];
      const key = Array.from(cells, (value) => ranks[value]);
      const { sign } = sorted;
      // Stable: rows that are alike stay in the order in which they are. What has no rank is last.
      order = order.slice().sort((a, b) => {
        const x = key[a];
        const y = key[b];
        return x === null || y === null ? (x === null) - (y === null) : sign * (x - y);
      });
    }
    heads.forEach((head, other) => {
      const now = sorted !== null && sorted.place === other ? sorted.sign : 0;
      head.setAttribute("aria-sort", ["descending", "none", "ascending"][now + 1]);
    });
    find();
  }

  function cell(column, head, row) {
    const made = document.createElement("td");
    const value = column.values[column.cells[row]];
    made.className = head.className;
    if (column.tones && value) {
      const word = made.appendChild(document.createElement("span"));
      word.className = column.tones[column.cells[row]];
      word.textContent = value;
    } else {
      made.textContent = value;
    }
    return made;
  }

  function show(first) {
    start = first;
    const rows = [];
    for (const row of shown.slice(start, start + PAGE)) {
      const made = document.createElement("tr");
      made.append(...columns.map((column, place) => cell(column, heads[place], row)));
      rows.push(made);
    }
    box.querySelector("tbody").replaceChildren(...rows);
    const end = start + rows.length;
    const fewer = shown.length < order.length ? ` that match, of ${count(order.length)}` : "";
    const range = rows.length ? `Rows ${count(start + 1)}–${count(end)} of ${count(shown.length)}` : "No rows";
    const by = sorted ? `, by ${heads[sorted.place].textContent} (${sorted.sign === 1 ? "ascending" : "descending"})` : "";
    box.querySelector(".status").textContent = range + fewer + by;
    for (const button of box.querySelectorAll(".previous")) button.ariaDisabled = String(start === 0);
    for (const button of box.querySelectorAll(".next")) button.ariaDisabled = String(end >= shown.length);
    for (const pager of box.querySelectorAll(".pager")) pager.hidden = shown.length <= PAGE;
  }

  function page(event, name, step) {
    if (event.currentTarget.ariaDisabled === "true") return;
    show(start + step);
    box.querySelector(`.${name}`).focus(); // the one above the table, whose first row is read next
  }

  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(place));
    head.append(button);
    head.setAttribute("aria-sort", "none");
  });
  text.addEventListener("input", find);
  for (const select of selects) select.addEventListener("change", find);
  for (const [name, step] of [["previous", -PAGE], ["next", PAGE]]) {
    for (const button of box.querySelectorAll(`.${name}`)) {
      button.addEventListener("click", (event) => page(event, name, step));
    }
  }
  box.querySelector(".controls").hidden = false;
  show(0);
}

document.querySelectorAll(".claims").forEach(longTable);

// On a narrow screen the contents are a line to open.
if (matchMedia("(max-width: 63.99rem)").matches) {
  document.querySelector("nav details").open = false;
}
