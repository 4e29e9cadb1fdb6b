/*
  Copyright (c) 2026 nextbilling.did contributors
  GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later
*/
"use strict";
(() => {
  const root = document.documentElement;
  const tools = document.querySelector(".tools");
  if (!tools) return;
  root.classList.add("js");

  const words = JSON.parse(tools.dataset.words);
  const search = tools.querySelector("input");
  const order = tools.querySelector("select");
  const clear = tools.querySelector(".clear");
  const status = tools.querySelector("[role=status]");
  const nothing = document.querySelector(".nothing");
  const kinds = new Set();

  const number = new Intl.NumberFormat(root.lang);
  const count = (key, n) => `${number.format(n)} ${words[key][n === 1 ? 0 : 1]}`;
  // Without accents and case, so that "numero" finds "Número".
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

  const numbers = (first, n) => {
    const plus = first.startsWith("+") ? "+" : "";
    const digits = first.slice(plus.length);
    const start = BigInt(digits);
    return Array.from({ length: n }, (_, i) => plus + String(start + BigInt(i)).padStart(digits.length, "0"));
  };
  // The ranges of a line, each as its first number, with how many there are if it is not the only one.
  const numbersOf = (element) =>
    element.dataset.numbers.split(" ").flatMap((range) => {
      const [first, n] = range.split(":");
      return n ? numbers(first, Number(n)) : first ? [first] : [];
    });

  const sections = [...document.querySelectorAll(".lines")].map((element) => ({
    element,
    list: element.querySelector("ol"),
    lines: [...element.querySelectorAll(".line")].map((line, place) => ({
      element: line,
      kind: line.dataset.kind,
      dids: Number(line.dataset.dids),
      place,
      listed: Number(line.dataset.place),
      // What was never applied has no time and comes last.
      since: line.dataset.since || "~",
      text: null,
    })),
  }));
  // What is searched is read once, and only when somebody searches.
  const textOf = (line) => {
    line.text ??= plain(`${line.element.textContent}\n${numbersOf(line.element).join("\n")}`);
    return line.text;
  };

  // Thousands of lines come back in portions, so that a keystroke is answered at once; the first portion fills any screen.
  const PORTION = 400;
  let waiting = 0;
  const reveal = (lines) => {
    for (const line of lines.slice(0, PORTION)) line.element.hidden = false;
    if (lines.length > PORTION) waiting = setTimeout(reveal, 0, lines.slice(PORTION));
  };

  const show = () => {
    clearTimeout(waiting);
    const back = [];
    const query = plain(search.value.trim());
    // A number is found however its digits are set apart.
    const digits = /^\+?[\d\s.()-]+$/.test(query) ? query.replace(/[^\d]/g, "") : "";
    const fits = (line) =>
      (!kinds.size || kinds.has(line.kind)) &&
      (!query || textOf(line).includes(query) || (digits !== "" && textOf(line).includes(digits)));
    let lines = 0;
    let dids = 0;
    for (const section of sections) {
      let some = false;
      for (const line of section.lines) {
        const fit = fits(line);
        if (!fit) line.element.hidden = true;
        if (fit) {
          if (line.element.hidden) back.push(line);
          some = true;
          lines += 1;
          dids += line.dids;
        }
      }
      section.element.hidden = !some;
    }
    reveal(back);
    nothing.hidden = lines > 0;
    clear.hidden = !query && !kinds.size;
    status.textContent = words.shown.replace("{lines}", count("lines", lines)).replace("{dids}", count("dids", dids));
  };

  const orders = {
    number: (a, b) => a.place - b.place,
    list: (a, b) => a.listed - b.listed || a.place - b.place,
    size: (a, b) => b.dids - a.dids || a.place - b.place,
    age: (a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : a.place - b.place),
  };
  const arrange = () => {
    for (const section of sections) {
      section.lines.sort(orders[order.value]);
      for (const line of section.lines) line.element.hidden = true;
      section.list.append(...section.lines.map((line) => line.element));
    }
    show();
  };

  const present = new Set(sections.flatMap((section) => section.lines.map((line) => line.kind)));
  const buttons = [];
  for (const tile of document.querySelectorAll(".tile[data-kind]")) {
    const kind = tile.dataset.kind;
    if (!present.has(kind)) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(...tile.childNodes);
    button.addEventListener("click", () => {
      if (!kinds.delete(kind)) kinds.add(kind);
      button.setAttribute("aria-pressed", String(kinds.has(kind)));
      show();
    });
    buttons.push(button);
    tile.append(button);
  }

  const reset = () => {
    search.value = "";
    kinds.clear();
    for (const button of buttons) button.setAttribute("aria-pressed", "false");
    show();
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Where the page may not use the clipboard by itself, an old way may still be open.
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    await copy(numbersOf(button.closest(".line")).join("\n"));
    button.focus();
    button.classList.add("done");
    status.textContent = words.copied;
    setTimeout(() => button.classList.remove("done"), 1500);
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      reset();
    }
  });
  search.addEventListener("input", show);
  order.addEventListener("change", arrange);
  clear.addEventListener("click", () => {
    reset();
    search.focus();
  });
  show();
})();
