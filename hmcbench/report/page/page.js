"use strict";
// Everything is made with createElement and textContent: what came from elsewhere stays text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";

  function element(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  function shape(parent, name, attributes = {}, text = "") {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== "") node.textContent = text;
    parent.append(node);
    return node;
  }

  function canvas(width, height, label) {
    const svg = document.createElementNS(SVG, "svg");
    for (const [key, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, role: "img" }))
      svg.setAttribute(key, value);
    svg.setAttribute("aria-label", label);
    return svg;
  }

  function short(value) {
    if (value === null || value === undefined) return "-";
    const size = Math.abs(value);
    if (size >= 1e5) return value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
    return String(size >= 1000 ? Math.round(value) : Number(value.toPrecision(3)));
  }

  // Texts of ticks, with as many digits as tell them apart.
  function tickTexts(ticks) {
    let texts = ticks.map(short);
    for (let digits = 4; new Set(texts).size < ticks.length && digits <= 15; digits++)
      texts = ticks.map((tick) => String(Number(tick.toPrecision(digits))));
    return texts;
  }

  // ------------------------------------------------------------------ scales

  function ticks(low, high, log) {
    if (log) {
      const out = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
        if (10 ** power >= low && 10 ** power <= high) out.push(10 ** power);
      if (out.length >= 2) return out.filter((_, i) => i % Math.ceil(out.length / 7) === 0);
    }
    const rough = (high - low) / 5 || 1;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= rough);
    const out = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(i * step);
    return out;
  }

  function scale(values, from, to, { log = false, pad = 0.06, bounds = null } = {}) {
    let [low, high] = bounds || [Math.min(...values), Math.max(...values)];
    const place = log ? Math.log10 : (x) => x;
    let [a, b] = [place(low), place(high)];
    if (a === b) [a, b] = [a - 0.5, b + 0.5];
    if (!bounds) [a, b] = [a - pad * (b - a), b + pad * (b - a)];
    const back = log ? (x) => 10 ** x : (x) => x;
    const at = (x) => from + ((place(x) - a) / (b - a)) * (to - from);
    return Object.assign(at, { ticks: ticks(back(a), back(b), log) });
  }

  function axes(svg, x, y, box, titles) {
    const [across, up] = [tickTexts(x.ticks), tickTexts(y.ticks)];
    y.ticks.forEach((tick, i) => {
      shape(svg, "path", { class: "grid", d: `M${box.left} ${y(tick)}H${box.right}` });
      shape(svg, "text", { class: "tick", x: box.left - 6, y: y(tick) + 4, "text-anchor": "end" }, up[i]);
    });
    x.ticks.forEach((tick, i) => {
      shape(svg, "path", { class: "axis", d: `M${x(tick)} ${box.bottom}v4` });
      shape(svg, "text", { class: "tick", x: x(tick), y: box.bottom + 16, "text-anchor": "middle" }, across[i]);
    });
    shape(svg, "path", { class: "axis", d: `M${box.left} ${box.top}V${box.bottom}H${box.right}` });
    const middle = (box.left + box.right) / 2;
    shape(svg, "text", { x: middle, y: box.bottom + 34, "text-anchor": "middle" }, titles[0]);
    shape(svg, "text", { x: box.left - 40, y: box.top - 10 }, titles[1]);
  }

  // ------------------------------------------------------------------ details of a cell

  function curvePanels(curves) {
    const shown = (curves.series || []).filter(([name]) => /loss|accuracy|r2|error/.test(name));
    const groups = [shown.filter(([name]) => name.includes("loss")), shown.filter(([name]) => !name.includes("loss"))];
    return groups.filter((group) => group.length).map((group) => {
      const title = group[0][0].includes("loss") ? "loss" : "accuracy";
      const box = { left: 48, right: 400, top: 26, bottom: 190 };
      const svg = canvas(410, 232 + 16 * group.length, `training curves, ${title}`);
      const values = group.flatMap(([, line]) => line.filter((v) => v !== null));
      const x = scale(curves.x, box.left, box.right, { pad: 0.02 });
      const y = scale(values, box.bottom, box.top);
      axes(svg, x, y, box, [curves.title, title]);
      group.forEach(([name, line], i) => {
        const points = line.map((v, j) => (v === null ? null : `${x(curves.x[j]).toFixed(1)} ${y(v).toFixed(1)}`));
        const look = `line s${i % 6}` + (name.startsWith("train") ? " dash" : "");
        shape(svg, "path", { class: look, d: "M" + points.filter((p) => p !== null).join("L") });
        shape(svg, "path", { class: look, d: `M${box.left} ${238 + 16 * i}h24` });
        shape(svg, "text", { x: box.left + 30, y: 242 + 16 * i }, name);
      });
      return element("figure", {}, element("h4", {}, "Training curves: " + title), svg);
    });
  }

  // A name that may break behind its underscores and slashes.
  function broken(name) {
    return name.split(/(?<=[_/])/).flatMap((part, i) => (i ? [element("wbr"), part] : [part]));
  }

  function matrixPanel(level) {
    const head = element("tr", {}, element("th", {}, "true \\ said"), ...level.names.map((n) => element("th", {}, ...broken(n))));
    const body = level.matrix.map((line, i) => {
      const total = line.reduce((a, b) => a + b, 0);
      const cells = line.map((count, j) => {
        const cell = element("td", { class: i === j ? "right" : "wrong" }, count ? String(count) : "·");
        cell.style.setProperty("--share", total ? count / total : 0);
        return cell;
      });
      return element("tr", {}, element("th", {}, ...broken(level.names[i])), ...cells);
    });
    const table = element("table", { class: "matrix" }, element("thead", {}, head), element("tbody", {}, ...body));
    return element("figure", {}, element("h4", {}, `Level ${level.level}: confusion, test samples`), table);
  }

  function listPanel(title, head, lines) {
    const row = (cells, kind) => element("tr", {}, ...cells.map((c) => element(kind, {}, c === null ? "-" : String(c))));
    const table = element("table", { class: "small" }, element("thead", {}, row(head, "th")));
    table.append(element("tbody", {}, ...lines.map((line) => row(line, "td"))));
    return element("figure", { class: "capped", tabindex: "0" }, element("h4", {}, title), table);
  }

  function reliabilityPanel(level) {
    const box = { left: 48, right: 230, top: 26, bottom: 208 };
    const svg = canvas(240, 250, `reliability, level ${level.level}`);
    const x = scale([], box.left, box.right, { bounds: [0, 1] });
    const y = scale([], box.bottom, box.top, { bounds: [0, 1] });
    axes(svg, x, y, box, ["confidence", "share right"]);
    shape(svg, "path", { class: "axis dash", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}` });
    const most = Math.max(1, ...level.bins.map(([n]) => n));
    for (const [n, confidence, right] of level.bins.filter(([n]) => n)) {
      const dot = shape(svg, "circle", { class: "fill", cx: x(confidence), cy: y(right), r: 3 + 7 * Math.sqrt(n / most) });
      shape(dot, "title", {}, `${n} predictions, confidence ${short(confidence)}, right ${short(right)}`);
    }
    return element("figure", {}, element("h4", {}, `Level ${level.level}: reliability, gap ${short(level.gap)}`), svg);
  }

  function parityPanel({ target, points }) {
    const box = { left: 52, right: 250, top: 26, bottom: 224 };
    const svg = canvas(260, 264, `predicted and true ${target}`);
    const values = points.flat();
    const x = scale(values, box.left, box.right);
    const y = scale(values, box.bottom, box.top);
    axes(svg, x, y, box, ["true", "predicted"]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    shape(svg, "path", { class: "axis dash", d: `M${x(low)} ${y(low)}L${x(high)} ${y(high)}` });
    for (const [t, p] of points) shape(svg, "circle", { class: "fill", cx: x(t), cy: y(p), r: 2.5 });
    return element("figure", {}, element("h4", {}, target), svg);
  }

  // Truth, prediction and mistakes of label maps, laid over their image; the slider fades them.
  function overlayPanel(images) {
    const tiles = element("div", { class: "tiles" });
    const legend = element("p", { class: "legend" });
    const depth = Math.max(...images.map((image) => image.levels.length));
    const numbers = (n, name) => Array.from({ length: n }, (_, i) => [i, name(i)]);
    const [image, imageLabel] = chooser("image", numbers(images.length, (i) => images[i].name), () => draw());
    const [level, levelLabel] = chooser("level", numbers(depth, (i) => String(i + 1)), () => draw());
    level.value = depth - 1;
    const slider = element("input", { type: "range", min: 0, max: 100, value: 55, class: "fade", oninput: () => fade() });
    const sliderLabel = element("label", {}, "image", slider, "map");
    slider.setAttribute("aria-label", "how much of the maps lies over the image, in per cent");
    const hint = element("p", { class: "note" }, "The images are not here; hmcbench figures RUNS (with --data NAME=PATH) fetches them.");

    function fade() {
      for (const map of tiles.querySelectorAll("img.map")) map.style.opacity = slider.value / 100;
    }

    function tile(kind, caption, under, over) {
      const source = (number) => data.sources[number];
      const layers = [];
      if (under !== null) layers.push(element("img", { src: source(under), alt: "" }));
      const look = kind === "wrong" || under === null ? "fixed" : "map";
      layers.push(element("img", { src: source(over), alt: caption, class: look }));
      return element("figure", { class: kind }, element("div", { class: "stack" }, ...layers), element("figcaption", {}, caption));
    }

    function draw() {
      const chosen = images[Number(image.value)];
      const shown = chosen.levels[Number(level.value)];
      const share = shown.share === null ? "no labelled pixel" : `${short(100 * shown.share)} % of the labelled pixels`;
      tiles.replaceChildren(
        tile("truth", "Truth", chosen.image, shown.truth),
        tile("predicted", "Prediction", chosen.image, shown.predicted),
        tile("wrong", `Mistakes: ${share}`, chosen.image, shown.wrong),
      );
      const marks = [...shown.legend, ["no class", "#ffffff"], ["not labelled", "#000000"]].map(([name, colour]) => {
        const swatch = element("span", { class: "swatch" });
        swatch.style.background = colour;
        return element("span", {}, swatch, name);
      });
      legend.replaceChildren(...marks, element("span", {}, element("span", { class: "swatch hatched" }), "wrong"));
      sliderLabel.hidden = chosen.image === null;
      hint.hidden = chosen.image !== null;
      fade();
    }
    draw();
    const choices = element("div", { class: "tools" }, imageLabel, levelLabel, sliderLabel);
    return element("figure", { class: "wide overlays" }, element("h4", {}, "Label maps of some test images"), choices, tiles, legend, hint);
  }

  function panels(cell) {
    const out = [...curvePanels(cell.curves)];
    if (cell.overlays && cell.overlays.length) out.unshift(overlayPanel(cell.overlays));
    for (const level of cell.levels || []) {
      if (level.matrix) out.push(matrixPanel(level));
      if (level.pairs) out.push(listPanel(`Level ${level.level}: most frequent confusions`, ["true", "said", "samples"], level.pairs));
      if (level.outcomes) out.push(listPanel(`Level ${level.level}: classes`, ["class", "found", "missed", "invented"], level.outcomes));
      if (level.bins.length) out.push(reliabilityPanel(level));
    }
    for (const parity of cell.parity || []) out.push(parityPanel(parity));
    if (cell.metrics.length) {
      const lines = cell.metrics.slice(1).map(([name, ...values]) => [name, ...values.map(short)]);
      out.push(listPanel("All metrics", cell.metrics[0], lines));
    }
    for (const picture of cell.pictures) {
      const image = element("img", { src: picture.source, alt: picture.name, loading: "lazy" });
      out.push(element("figure", {}, element("h4", {}, picture.name.replaceAll("-", " ")), image));
    }
    const facts = element("dl", { class: "wide" });
    for (const [name, value] of [["cell", cell.key], ...cell.facts]) facts.append(element("dt", {}, name), element("dd", {}, value));
    const notes = cell.notes.map((note) => element("p", { class: "note wide" }, note));
    return element("div", { class: "panels" }, ...notes, ...out, facts);
  }

  function detailsOf(row) {
    const box = element("div", {});
    const buttons = row.details.map((place) => {
      const show = () => {
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        box.replaceChildren(panels(data.cells[place]));
      };
      const button = element("button", { type: "button", onclick: show }, data.cells[place].label);
      return button;
    });
    buttons[0].click();
    return [element("div", { class: "pick" }, ...buttons), box];
  }

  // ------------------------------------------------------------------ table

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = element("button", { type: "button", title: "sort" }, ...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && column < 2);
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (line) => {
          const text = (line.cells[column].querySelector("b") || line.cells[column]).textContent.trim();
          const number = Number.parseFloat(text.replaceAll(",", ""));
          return column === 1 || Number.isNaN(number) ? (text === "-" ? null : text) : number;
        };
        const lines = [...table.tBodies[0].rows].filter((line) => !line.classList.contains("details"));
        const order = lines.map((line) => [key(line), line]).sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null); // nothing stands last, both ways
          const less = typeof a === typeof b && typeof a === "number" ? a - b : String(a).localeCompare(String(b));
          return up ? less : -less;
        });
        for (const [, line] of order) {
          const below = line.nextElementSibling;
          table.tBodies[0].append(line);
          if (below && below.classList.contains("details")) table.tBodies[0].append(below);
        }
      });
    });
  }

  function openers(table, board) {
    for (const line of [...table.tBodies[0].rows]) {
      const row = board.rows[Number(line.dataset.row)];
      if (!row.details.length) continue;
      const label = line.querySelector("th.name .label");
      const button = element("button", { type: "button", class: "opener", "aria-expanded": "false" });
      label.replaceWith(button);
      button.append(label);
      button.addEventListener("click", () => {
        const open = button.getAttribute("aria-expanded") === "true";
        button.setAttribute("aria-expanded", String(!open));
        line.classList.toggle("open", !open);
        if (open) return line.nextElementSibling.remove();
        line.after(element("tr", { class: "details" }, element("td", { colspan: line.cells.length }, ...detailsOf(row))));
      });
    }
  }

  function tools(section, board) {
    const tables = [...section.querySelectorAll("table.main, table.costs")];
    const search = element("input", { type: "search", placeholder: "filter models", "aria-label": "filter models" });
    const good = element("input", { type: "checkbox" });
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const line of tables.flatMap((table) => [...table.tBodies[0].rows])) {
        if (line.classList.contains("details")) continue;
        const row = board.rows[Number(line.dataset.row)];
        const name = `${row.model} ${row.reference}`.toLowerCase();
        const fits = words.every((w) => name.includes(w)) && (!good.checked || row.rank !== null);
        line.hidden = !fits;
        const below = line.nextElementSibling;
        if (below && below.classList.contains("details")) below.hidden = !fits;
      }
      section.dispatchEvent(new CustomEvent("filtered"));
    };
    search.addEventListener("input", filter);
    good.addEventListener("change", filter);
    const choices = element("div", { class: "choices" });
    [...tables[0].tHead.rows[0].cells].forEach((head, place) => {
      if (!head.dataset.column) return;
      const box = element("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        for (const line of tables[0].rows) if (!line.classList.contains("details")) line.cells[place].hidden = !box.checked;
        section.dispatchEvent(new CustomEvent("filtered"));
      });
      choices.append(element("label", {}, box, head.textContent));
    });
    const columns = element("details", {}, element("summary", {}, "columns"), choices);
    section.querySelector(".tools").append(search, element("label", {}, good, "ranked only"), columns);
  }

  // Which columns of a table are outside the window, and how to see them.
  function announce(frame, section, more) {
    const table = frame.querySelector("table");
    const notice = element("p", { class: "offscreen" });
    frame.after(notice);
    const update = () => {
      const outer = frame.getBoundingClientRect();
      const heads = [...table.tHead.rows[0].cells];
      const sticky = heads.find((head) => head.classList.contains("name"));
      const left = sticky ? sticky.getBoundingClientRect().right : outer.left;
      const outside = heads.filter((head) => {
        const box = head.getBoundingClientRect();
        return head !== sticky && !head.hidden && box.width > 0 && (box.right > outer.right + 1 || (box.left < left - 1 && head.cellIndex > 1));
      });
      notice.hidden = !outside.length;
      const names = outside.map((head) => head.textContent.replace(/\s*[↑↓]\s*$/, "").trim()).join(", ");
      notice.textContent = `Outside the window: ${names}. Scroll the table sideways, widen the window${more}.`;
    };
    frame.addEventListener("scroll", update, { passive: true });
    section.addEventListener("filtered", update);
    window.addEventListener("resize", update);
    update();
  }

  // ------------------------------------------------------------------ quality against cost

  function chooser(title, options, change) {
    const select = element("select", { onchange: change });
    options.forEach(([value, text]) => select.append(element("option", { value }, text)));
    return [select, element("label", {}, title, select)];
  }

  function plot(section, board) {
    const marks = Object.keys(board.hardware);
    if (!board.costs.length || !board.columns.length || !marks.length) return;
    const count = (mark) => board.rows.filter((row) => row.costs[mark]).length;
    marks.sort((a, b) => count(b) - count(a));
    const draw = () => redraw();
    const [y, yLabel] = chooser("quality", board.columns.map((c) => [c.id, c.title]), draw);
    const [x, xLabel] = chooser("cost", board.costs.map((c) => [c.id, c.title]), draw);
    const [hardware, hardwareLabel] = chooser("hardware", marks.map((m) => [m, m]), draw);
    if (marks.length < 2) hardwareLabel.hidden = true;
    for (const wanted of ["total_s", "fit_s"]) if (board.costs.some((c) => c.id === wanted)) { x.value = wanted; break; }
    const caption = element("figcaption", { "aria-live": "polite" });
    const frame = element("div", {});
    const figure = element("figure", {}, element("div", { class: "tools" }, yLabel, xLabel, hardwareLabel), frame, caption);
    section.querySelector(".plot").append(element("h3", {}, "Quality against cost"), figure);
    section.addEventListener("filtered", draw);

    function redraw() {
      const [quality, cost] = [board.columns.find((c) => c.id === y.value), board.costs.find((c) => c.id === x.value)];
      const hidden = new Set([...section.querySelectorAll("table.main tr[hidden]")].map((line) => Number(line.dataset.row)));
      const points = board.rows
        .map((row, place) => ({ row, place, x: (row.costs[hardware.value] || {})[cost.id], y: row.cells[quality.id] }))
        .filter((p) => p.x && p.y && !hidden.has(p.place));
      if (!points.length) {
        frame.replaceChildren();
        caption.textContent = "No model that is shown has both numbers.";
        return;
      }
      const width = Math.max(320, Math.min(820, figure.clientWidth || 820));
      const box = { left: 56, right: width - 20, top: 30, bottom: 330 };
      const svg = canvas(width, 376, `${quality.title} against ${cost.title}`);
      const costs = points.map((p) => p.x[0]);
      const log = Math.min(...costs) > 0 && Math.max(...costs) / Math.min(...costs) > 20;
      const across = scale(costs, box.left, box.right, { log });
      const up = scale(points.flatMap((p) => p.y.filter((v) => v !== null)), box.bottom, box.top);
      axes(svg, across, up, box, [cost.title + (log ? ", logarithmic" : ""), quality.title]);
      const front = frontier(points, quality.better, cost.better);
      const path = front.map((p) => `${across(p.x[0])} ${up(p.y[0])}`);
      if (path.length > 1) shape(svg, "path", { class: "frontline", d: "M" + path.join("L") });
      for (const p of points) {
        const [cx, cy] = [across(p.x[0]), up(p.y[0])];
        if (p.y[1] !== null) shape(svg, "path", { class: "bar", d: `M${cx} ${up(p.y[1])}V${up(p.y[2])}` });
        const look = "point" + (front.includes(p) ? " front" : "");
        const dot = shape(svg, "circle", { class: look, cx, cy, r: 10, tabindex: 0, role: "button" });
        const interval = p.y[1] === null ? "" : ` [${short(p.y[1])}, ${short(p.y[2])}]`;
        const text = `${p.row.model}: ${quality.title} ${short(p.y[0])}${interval}, ${cost.title} ${short(p.x[0])}`;
        dot.setAttribute("aria-label", text);
        shape(dot, "title", {}, text);
        for (const event of ["mouseenter", "focus"]) dot.addEventListener(event, () => { caption.textContent = text; });
        const open = () => {
          const opener = section.querySelector(`table.main tr[data-row="${p.place}"] .opener`);
          if (!opener) return;
          if (opener.getAttribute("aria-expanded") === "false") opener.click();
          opener.scrollIntoView({ block: "center" });
        };
        dot.addEventListener("click", open);
        dot.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
        shape(svg, "text", { class: "inside", x: cx, y: cy + 4 }, String(p.row.rank ?? "-"));
      }
      frame.replaceChildren(svg);
      caption.textContent = front.length && quality.better
        ? "Numbers are ranks. Green, joined by the dashed line: no ranked model that is shown is both better and cheaper by its mean. Point at one to read it, click to open it."
        : "Numbers are ranks. Point at one to read it, click to open it.";
    }
    redraw();
    let last = 0;
    window.addEventListener("resize", () => {
      clearTimeout(last);
      last = setTimeout(redraw, 120);
    });
  }

  function frontier(points, better, cheaper) {
    if (!better || !cheaper) return [];
    const [q, c] = [better === "lower" ? -1 : 1, cheaper === "higher" ? -1 : 1];
    const beaten = (p) => points.some((o) => {
      if (o.row.rank === null || o.x[1] === null) return false; // folds are lacking: it beats nobody
      const [dq, dc] = [q * (o.y[0] - p.y[0]), c * (p.x[0] - o.x[0])];
      return dq >= 0 && dc >= 0 && (dq > 0 || dc > 0);
    });
    const repeated = points.filter((p) => p.x[1] !== null); // the cost of one run proves nothing
    if (repeated.length < 2) return [];
    return repeated.filter((p) => p.row.rank !== null && !beaten(p)).sort((a, b) => a.x[0] - b.x[0]);
  }

  // ------------------------------------------------------------------ light and dark

  function theme() {
    const button = document.getElementById("theme");
    const names = ["auto", "light", "dark"];
    let stored = "auto";
    try { stored = localStorage.getItem("hmcbench-theme") || "auto"; } catch { /* files may have no storage */ }
    const apply = (name) => {
      if (name === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = name;
      button.textContent = `theme: ${name}`;
      try { localStorage.setItem("hmcbench-theme", name); } catch { /* the page works without */ }
    };
    let now = names.includes(stored) ? stored : "auto";
    button.hidden = false;
    button.addEventListener("click", () => apply((now = names[(names.indexOf(now) + 1) % names.length])));
    apply(now);
  }

  theme();
  for (const section of document.querySelectorAll("section.board")) {
    const board = data.boards[Number(section.dataset.board)];
    const main = section.querySelector("table.main");
    openers(main, board);
    section.querySelectorAll("table.main, table.costs").forEach(sortable);
    tools(section, board);
    plot(section, board);
    for (const frame of section.querySelectorAll(".scroll:has(> table)"))
      announce(frame, section, frame.querySelector("table.main") ? ", or leave out columns above" : "");
  }
  document.documentElement.dataset.ready = "yes";
})();
