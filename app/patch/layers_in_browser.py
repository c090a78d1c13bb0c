"""The browser's half of `app.patch.layers` and `app.patch.why`: HTML, CSS and JavaScript, without a build and without a request.

Text from Python reaches the page as text and attributes only, never as HTML.
"""

from app.elements_in_browser import ELEMENTS

HTML = """
<div class="layers">
  <div class="controls">
    <label class="opacity" title="How strongly the heat covers the image: 0 % shows the bare steel.">
      Heat opacity
      <input type="range" min="0" max="100" step="1" value="50" aria-label="Opacity of the heat, in per cent">
      <output>50 %</output>
    </label>
    <label title="Whether the heat lies over the image. Without it the image and what people marked are seen alone; the opacity is kept.">
      <input type="checkbox" checked> Heat
    </label>
    <label class="truth" title="Where people marked the defect.">
      <input type="checkbox" checked> Marked defect
    </label>
    <span class="zoom" role="group" aria-label="Zoom of all pictures">
      Zoom
      <button type="button" data-zoom="out" aria-label="Zoom out" title="Zoom out, in all pictures; on a picture that was clicked the key minus does the same.">&minus;</button>
      <output>1&times;</output>
      <button type="button" data-zoom="in" aria-label="Zoom in" title="Zoom in, in all pictures; on a picture that was clicked the wheel and the key plus do the same.">+</button>
      <button type="button" data-zoom="whole" title="Show the whole patch again; on a picture that was clicked the key 0 does the same.">Whole patch</button>
    </span>
    <span class="legend">
      Heat 0 <img alt="Colour scale of the heat, from 0, black, to 1, pale yellow"> <output></output>
    </span>
  </div>
  <div class="pictures"></div>
</div>
"""

CSS = """
.layers { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.85rem; }
.controls { display: flex; flex-wrap: wrap; gap: 0.4rem 1.5rem; align-items: center; margin-bottom: 0.6rem; }
.controls label, .zoom, .legend { display: inline-flex; gap: 0.5rem; align-items: center; white-space: nowrap; }
.controls input { accent-color: var(--st-primary-color); margin: 0; }
.opacity input { width: 7rem; }
.controls output { min-width: 2.4rem; font-variant-numeric: tabular-nums; }
.zoom output { min-width: 2rem; text-align: center; }
.legend output { min-width: 0; }
button {
  font: inherit; color: inherit; background: var(--st-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: 4px; padding: 0.1rem 0.55rem;
}
button:hover { border-color: var(--st-primary-color); }
.legend { margin-left: auto; }
.legend img { width: 7rem; height: 0.8rem; border: 1px solid var(--st-border-color); }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 0.9rem; align-items: end; }
.pictures.table { grid-template-columns: repeat(var(--columns), minmax(7rem, 1fr)); gap: 0.5rem; overflow-x: auto; }
.table .words { grid-column: span var(--span); align-self: center; margin: 0.7rem 0 0; line-height: 1.45; max-width: 70rem; }
.table .words:first-child { margin-top: 0; }
.words strong { display: block; font-size: 0.95rem; }
.table .veil { padding: 0.5rem; font-size: 0.8rem; }
figure { margin: 0; max-width: 42rem; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; column-gap: 1rem; margin-bottom: 0.25rem; }
figcaption .note { opacity: 0.75; font-variant-numeric: tabular-nums; }
.stage {
  position: relative; aspect-ratio: 1; overflow: hidden; background: #202327; cursor: grab; touch-action: none;
}
.stage:active { cursor: grabbing; }
.stage:focus-visible, button:focus-visible, input:focus-visible {
  outline: 2px solid var(--st-primary-color); outline-offset: 2px;
}
.stack { position: absolute; inset: 0; transform-origin: 0 0; }
.stack > * { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; user-select: none; }
.stack .drawing svg { width: 100%; height: 100%; }
.stack [hidden] { display: none; }
.stage.first { outline: 2px dashed var(--st-primary-color); outline-offset: -2px; }
.stack path { fill: none; vector-effect: non-scaling-stroke; }
.stack .halo { stroke: #000; stroke-opacity: 0.65; stroke-width: calc(4px / var(--zoom)); }
.stack .line { stroke-width: calc(2px / var(--zoom)); }
.veil {
  position: absolute; inset: 0; display: grid; place-content: center; text-align: center; padding: 1.5rem;
  font-size: 0.9rem; line-height: 1.45; color: #fff; background: rgb(32 35 39 / 72%);
}
.failed .veil {
  background: repeating-linear-gradient(45deg, rgb(60 20 20 / 88%) 0 10px, rgb(84 28 28 / 88%) 10px 20px);
}
.veil strong { display: block; font-size: 1rem; }
"""

JS = (
    ELEMENTS
    + """
const LARGEST_ZOOM = 16;
const STEP = 1.5;
const views = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".layers");
  if (!views.has(root)) views.set(root, begin(root));
  const view = views.get(root);
  const drawn = JSON.stringify(data);
  if (view.drawn === drawn) return; // the page was drawn again, the pictures are the same
  view.drawn = drawn;
  if (view.name !== data.name) Object.assign(view, { name: data.name, zoom: 1, x: 0, y: 0 });
  root.querySelector(".legend img").src = data.legend;
  root.querySelector(".legend").title = data.scale.meaning;
  root.querySelector(".legend output").textContent = data.scale.end;
  root.querySelector(".truth").style.display = data.has_truth ? "" : "none";
  const pictures = root.querySelector(".pictures");
  pictures.classList.toggle("table", Boolean(data.columns));
  if (data.columns) pictures.style.setProperty("--columns", data.columns);
  // A picture that is one of the same patch and method stays in its place, with the focus and the mouse that is moving it.
  const kept = view.cells?.length === data.pictures.length ? view.cells : [];
  view.cells = data.pictures.map((one, place) => cell(data, one, view, kept[place]));
  const nodes = view.cells.map((one) => one.node);
  if (nodes.some((node, place) => node !== pictures.children[place]) || nodes.length !== pictures.children.length) {
    pictures.replaceChildren(...nodes);
  }
  view.show();
}

// A view: what part of the patch all pictures show. x and y: its upper left corner, as a share of the patch.
function begin(root) {
  const [slider, heat, marks] = root.querySelectorAll("input");
  const view = { name: null, zoom: 1, x: 0, y: 0 };
  view.show = () => show(root, view, { opacity: slider.value / 100, heated: heat.checked, outlined: marks.checked });
  view.zoomTo = (zoom, across = 0.5, down = 0.5) => {
    const larger = Math.min(LARGEST_ZOOM, Math.max(1, zoom));
    view.moveBy(across / view.zoom - across / larger, down / view.zoom - down / larger, larger);
  };
  view.moveBy = (across, down, zoom = view.zoom) => {
    const last = 1 - 1 / zoom;
    view.zoom = zoom;
    view.x = Math.min(last, Math.max(0, view.x + across));
    view.y = Math.min(last, Math.max(0, view.y + down));
    view.show();
  };
  slider.addEventListener("input", view.show);
  for (const layer of [heat, marks]) layer.addEventListener("change", view.show);
  const zooms = { in: () => view.zoom * STEP, out: () => view.zoom / STEP, whole: () => 1 };
  for (const button of root.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => view.zoomTo(zooms[button.dataset.zoom]()));
  }
  return view;
}

function show(root, view, { opacity, heated, outlined }) {
  const [percent, times] = root.querySelectorAll("label output, .zoom output");
  percent.textContent = `${Math.round(opacity * 100)} %`;
  times.textContent = `${Math.round(view.zoom * 10) / 10}\u00d7`;
  for (const stack of root.querySelectorAll(".stack")) {
    stack.style.setProperty("--zoom", view.zoom);
    stack.style.transform = `scale(${view.zoom}) translate(${-100 * view.x}%, ${-100 * view.y}%)`;
  }
  root.querySelector("[type=range]").disabled = !heated;
  for (const heat of root.querySelectorAll(".heat")) heat.style.opacity = heated ? opacity : 0;
  for (const outline of root.querySelectorAll("svg")) outline.style.display = outlined ? "" : "none";
}

// A cell of a table that holds words, as wide as so many pictures.
function words({ title, words, span }) {
  return element("p", { class: "words", style: `--span: ${span}` }, element("strong", { text: title }), element("span", { text: words }));
}

// A cell: `node` is what is seen, `name` what it is of, `fill` draws it anew.
function cell(data, one, view, kept) {
  if (one.state === "words") return { node: words(one) };
  const name = JSON.stringify([data.name, one.title]);
  const same = kept?.name === name ? kept : figure(name, one.title, view);
  same.fill(data, one);
  return same;
}

function figure(name, title, view) {
  const note = element("span", { class: "note" });
  const image = element("img", { draggable: false });
  const heat = element("img", { class: "heat", alt: "", draggable: false });
  const drawing = element("div", { class: "drawing" });
  const stage = element("div", { tabindex: 0, role: "group" }, element("div", { class: "stack" }, image, heat, drawing));
  stage.setAttribute("aria-label", `${title}: plus and minus zoom, arrows move, 0 shows the whole patch`);
  listen(stage, view);
  const fill = (data, picture) => {
    stage.className = `stage ${picture.state}`;
    note.textContent = picture.note ?? "";
    image.src = data.image;
    image.alt = picture.alt;
    heat.hidden = !picture.heat;
    if (picture.heat) heat.src = picture.heat;
    drawing.replaceChildren(outline(data));
    stage.querySelector(".veil")?.remove();
    if (picture.words) stage.append(veil(picture));
  };
  return { name, fill, node: element("figure", {}, element("figcaption", {}, element("strong", { text: title }), note), stage) };
}

function veil(picture) {
  const titles = { failed: `${picture.title} failed: no heat to show.`, cancelled: `${picture.title}: no heat to show.` };
  const title = titles[picture.state] ?? "";
  return element("div", { class: "veil", role: "status" }, element("strong", { text: title }), element("span", { text: picture.words }));
}

function outline(data) {
  const drawing = svg("svg", { viewBox: "0 0 256 256", "aria-hidden": true });
  drawing.append(svg("path", { class: "halo", d: data.outline }), svg("path", { class: "line", d: data.outline, stroke: data.colour }));
  return drawing;
}

function listen(stage, view) {
  const keys = {
    "+": () => view.zoomTo(view.zoom * STEP), "=": () => view.zoomTo(view.zoom * STEP),
    "-": () => view.zoomTo(view.zoom / STEP), 0: () => view.zoomTo(1),
    ArrowLeft: () => view.moveBy(-0.1 / view.zoom, 0), ArrowRight: () => view.moveBy(0.1 / view.zoom, 0),
    ArrowUp: () => view.moveBy(0, -0.1 / view.zoom), ArrowDown: () => view.moveBy(0, 0.1 / view.zoom),
  };
  stage.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  // The wheel scrolls the page, until a click on a picture makes it zoom.
  stage.addEventListener("wheel", (event) => {
    if (!stage.matches(":focus")) return;
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    const zoom = view.zoom * Math.exp(-event.deltaY / 300);
    view.zoomTo(zoom, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => stage.setPointerCapture(event.pointerId));
  stage.addEventListener("pointermove", (event) => {
    if (!(event.buttons & 1)) return;
    const size = stage.clientWidth * view.zoom;
    view.moveBy(-event.movementX / size, -event.movementY / size);
  });
}
"""
)
