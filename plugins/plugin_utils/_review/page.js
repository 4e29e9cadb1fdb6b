/*
  Copyright (c) 2026 nextbilling.did contributors
  GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later
*/
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const tools = document.querySelector(".tools");
  const status = document.querySelector("[role=status]");
  const words = JSON.parse(document.body.dataset.words);

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
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const text = button.closest(".copyable")?.querySelector("bdi, pre").textContent;
    await copy(text ?? numbersOf(button.closest(".line")).join("\n"));
    button.focus();
    button.classList.add("done");
    status.textContent = words.copied;
    setTimeout(() => button.classList.remove("done"), 1500);
  });
  if (!tools) return;

  const search = tools.querySelector("input");
  const order = tools.querySelector("select");
  const clear = tools.querySelector(".clear");
  const nothing = document.querySelector(".nothing");
  const kinds = new Set();

  const number = new Intl.NumberFormat(root.lang);
  const count = (key, n) => `${number.format(n)} ${words[key][n === 1 ? 0 : 1]}`;
  // Without accents and case, so that "numero" finds "Número".
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

  // Of very many lines, each section shows so many at first, and so many more whenever somebody asks: a keystroke is answered at once.
  const PAGE = 200;
  const sections = [...document.querySelectorAll(".lines")].map((element) => ({
    element,
    list: element.querySelector("ol"),
    count: element.querySelector("h2 .quiet"),
    all: element.querySelector("h2 .quiet").textContent,
    more: element.appendChild(document.createElement("button")),
    limit: PAGE,
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

  const show = () => {
    const query = plain(search.value.trim());
    // A number is found however its digits are set apart.
    const digits = /^\+?[\d\s.()-]+$/.test(query) ? query.replace(/[^\d]/g, "") : "";
    const fits = (line) =>
      (!kinds.size || kinds.has(line.kind)) &&
      (!query || textOf(line).includes(query) || (digits !== "" && textOf(line).includes(digits)));
    let lines = 0;
    let dids = 0;
    for (const section of sections) {
      let found = 0;
      let foundDids = 0;
      for (const line of section.lines) {
        const fit = fits(line);
        const hidden = !fit || found >= section.limit;
        if (line.element.hidden !== hidden) line.element.hidden = hidden;
        if (!fit) continue;
        found += 1;
        foundDids += line.dids;
      }
      section.element.hidden = !found;
      const rest = found - section.limit;
      section.more.hidden = rest <= 0;
      const next = number.format(Math.min(PAGE, rest));
      section.more.textContent = words.show_more.replace("{n}", next).replace("{rest}", count("lines", rest));
      const isFiltered = query || kinds.size;
      section.count.textContent = isFiltered ? words.of.replace("{shown}", number.format(foundDids)).replace("{all}", section.all) : section.all;
      lines += found;
      dids += foundDids;
    }
    nothing.hidden = lines > 0;
    clear.hidden = !query && !kinds.size;
    status.textContent = words.shown.replace("{lines}", count("lines", lines)).replace("{dids}", count("dids", dids));
  };
  const limit = (most) => {
    for (const section of sections) section.limit = most;
    show();
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
      section.list.append(...section.lines.map((line) => line.element));
    }
    limit(PAGE);
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
      limit(PAGE);
    });
    buttons.push(button);
    tile.append(button);
  }

  const reset = () => {
    search.value = "";
    kinds.clear();
    for (const button of buttons) button.setAttribute("aria-pressed", "false");
    limit(PAGE);
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      reset();
    }
  });
  for (const section of sections) {
    section.more.type = "button";
    section.more.className = "more";
    section.more.addEventListener("click", () => {
      const next = section.lines.filter((line) => !line.element.hidden).at(-1);
      section.limit += PAGE;
      show();
      // The keyboard goes on where the new lines begin.
      if (section.more.hidden) next.element.querySelector("button, summary")?.focus();
    });
  }
  addEventListener("beforeprint", () => limit(Infinity));
  addEventListener("afterprint", () => limit(PAGE));
  search.addEventListener("input", () => limit(PAGE));
  order.addEventListener("change", arrange);
  clear.addEventListener("click", () => {
    reset();
    search.focus();
  });
  show();
})();
