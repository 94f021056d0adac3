"use strict";
// Draws the chosen sample of two runs over each other. Everything it needs is in the page.
(function () {
  const source = document.getElementById("raster-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const get = (id) => document.getElementById(id);
  const canvas = get("raster"), pair = get("pair"), sample = get("sample");
  const GAP = 26, LEFT = 52, RIGHT = 8, AXIS = 34;

  const bits = data.strings.map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
  const fires = (string, slot) => (bits[string][slot >> 3] >> (7 - (slot & 7))) & 1;

  function fill(select, names) {
    select.replaceChildren(...names.map((name, i) => new Option(name, i)));
  }

  function chosen() {
    const runs = data.pairs[pair.value];
    return [runs, runs.samples[sample.value]];
  }

  function told(runs, one) {
    const [a, b] = runs.sides;
    const only = [0, 1].map((side) => one.populations.reduce((sum, p) => sum + p.only[side], 0));
    const both = one.populations.reduce((sum, p) => sum + p.both, 0);
    const first = one.first ? ` They first part in ${one.first[0]}, step ${one.first[1]}, neuron ${one.first[2]}.` : "";
    return `Sample ${one.number}, labelled ${one.label}: ${a} says ${one.classes[0]}, ${b} says ${one.classes[1]}. ` +
      `${both.toLocaleString("en")} spikes in both, ${only[0].toLocaleString("en")} in ${a} only, ` +
      `${only[1].toLocaleString("en")} in ${b} only.${first}`;
  }

  function row(tag, cells) {
    const line = document.createElement("tr");
    cells.forEach((text, i) => {
      const cell = document.createElement(tag === "th" || i === 0 ? "th" : "td");
      if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
      cell.textContent = typeof text === "number" ? text.toLocaleString("en") : text;
      line.append(cell);
    });
    return line;
  }

  function count(runs, one) {
    const [a, b] = runs.sides;
    const rows = one.populations.map((p) => row("td", [p.name, p.neurons, p.both, p.only[0], p.only[1]]));
    get("counts").replaceChildren(row("th", ["population", "neurons", "spikes in both", `${a} only`, `${b} only`]), ...rows);
  }

  const pitch = (p) => Math.min(10, Math.max(0.5, 240 / p.drawn));

  function draw() {
    const [runs, one] = chosen();
    const scale = window.devicePixelRatio || 1, width = canvas.clientWidth;
    const height = one.populations.reduce((sum, p) => sum + GAP + p.drawn * pitch(p) + AXIS, 8);
    canvas.style.height = `${height}px`;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const colours = [colour("--c1"), colour("--c2"), colour("--ink")];
    pen.font = `13px ${getComputedStyle(document.body).fontFamily}`;
    let top = 0;
    for (const p of one.populations) {
      pen.fillStyle = colour("--ink");
      const part = p.drawn < p.neurons ? `, neurons ${p.start} to ${p.start + p.drawn - 1} of ${p.neurons}` : `, ${p.neurons} neurons`;
      pen.fillText(`${p.name}${part}, ${p.steps} steps`, LEFT, top + 18);
      const step = (width - LEFT - RIGHT) / p.steps;
      axes(pen, p, top + GAP, step, colour("--ink"), colour("--faint"));
      population(pen, p, top + GAP, step, colours, one.first);
      top += GAP + p.drawn * pitch(p) + AXIS;
    }
    canvas.setAttribute("aria-label", `Raster of sample ${one.number}, ${runs.title}`);
  }

  // Ticks at round numbers: steps below, neurons on the left.
  function ticks(count, room) {
    const wanted = count / Math.max(1, room), size = 10 ** Math.floor(Math.log10(Math.max(1, wanted)));
    const every = [1, 2, 5, 10].map((n) => n * size).find((n) => n >= wanted);
    return Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every);
  }

  function axes(pen, p, top, step, ink, faint) {
    const tall = pitch(p), bottom = top + p.drawn * tall, right = LEFT + p.steps * step;
    pen.strokeStyle = faint;
    pen.lineWidth = 1;
    pen.strokeRect(LEFT - 0.5, top - 0.5, right - LEFT + 1, bottom - top + 1);
    pen.fillStyle = ink;
    pen.textAlign = "center";
    for (const t of ticks(p.steps, (right - LEFT) / 40)) pen.fillText(t, LEFT + (t + 0.5) * step, bottom + 14);
    pen.fillText("step", (LEFT + right) / 2, bottom + 28);
    pen.textAlign = "right";
    for (const n of ticks(p.drawn, (bottom - top) / 20)) pen.fillText(p.start + n, LEFT - 4, top + (n + 0.5) * tall + 5);
    pen.textAlign = "center";
    pen.save();
    pen.translate(11, (top + bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText("neuron", 0, 0);
    pen.restore();
    pen.textAlign = "left";
  }

  function population(pen, p, top, step, colours, first) {
    const tall = pitch(p);
    for (let slot = 0; slot < p.steps * p.drawn; slot++) {
      const a = fires(p.bits[0], slot), b = fires(p.bits[1], slot);
      if (!a && !b) continue;
      const x = LEFT + Math.floor(slot / p.drawn) * step, y = top + (slot % p.drawn) * tall;
      mark(pen, x, y, step, tall, a && b ? 2 : a ? 0 : 1, colours);
    }
    if (first && first[0] === p.name) {
      pen.strokeStyle = colours[1];
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(LEFT + (first[1] + 0.5) * step, top + (first[2] - p.start + 0.5) * tall, 9, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  // In both: a bar. In one only: an open square or a diamond, larger than its slot so that a single one is seen.
  function mark(pen, x, y, step, tall, kind, colours) {
    if (kind === 2) {
      pen.fillStyle = colours[2];
      pen.fillRect(x + step * 0.15, y, Math.max(1, step * 0.7), Math.max(1, tall * 0.8));
      return;
    }
    const size = Math.max(5, Math.min(step, tall) * 0.8), cx = x + step / 2, cy = y + tall / 2;
    if (kind === 0) {
      pen.strokeStyle = colours[0];
      pen.lineWidth = 1.5;
      pen.strokeRect(cx - size / 2, cy - size / 2, size, size);
    } else {
      pen.fillStyle = colours[1];
      pen.beginPath();
      for (const [dx, dy] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) pen.lineTo(cx + dx * size * 0.7, cy + dy * size * 0.7);
      pen.fill();
    }
  }

  function show() {
    const [runs, one] = chosen();
    get("told").textContent = told(runs, one);
    get("one").textContent = `${runs.sides[0]} only`;
    get("two").textContent = `${runs.sides[1]} only`;
    get("before").disabled = Number(sample.value) === 0;
    get("after").disabled = Number(sample.value) === runs.samples.length - 1;
    get("first").hidden = !runs.samples.some((s) => s.first);
    count(runs, one);
    draw();
  }

  function choosePair() {
    fill(sample, data.pairs[pair.value].samples.map((s) => `${s.number}${s.first ? " (first divergence)" : ""}`));
    show();
  }

  function go(to) {
    sample.value = to;
    show();
  }

  fill(pair, data.pairs.map((p) => p.title));
  source.parentElement.querySelector(".rasters").hidden = false;
  choosePair();
  pair.addEventListener("change", choosePair);
  sample.addEventListener("change", show);
  get("before").addEventListener("click", () => go(Number(sample.value) - 1));
  get("after").addEventListener("click", () => go(Number(sample.value) + 1));
  get("first").addEventListener("click", () => go(data.pairs[pair.value].samples.findIndex((s) => s.first)));
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  canvas.closest("details").addEventListener("toggle", (event) => { if (event.target.open) draw(); });
})();
