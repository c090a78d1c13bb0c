"""The browser's half of `app.strip.picture`: HTML, CSS and JavaScript, without a build and without a request.

Text from Python reaches the page as text and attributes only, never as HTML.
"""

from app.elements_in_browser import ELEMENTS

HTML = """
<div class="strip">
  <div class="controls">
    <label title="How strongly the heat covers the steel: 0 % shows the bare steel.">
      Heat opacity
      <input type="range" min="0" max="100" step="1" value="60" aria-label="Opacity of the heat, in per cent">
      <output>60 %</output>
    </label>
    <label title="Whether the heat lies over the lower picture. Without it the steel and what people marked are seen alone; the opacity is kept."><input type="checkbox" checked> Heat</label>
    <label class="truth" title="Where people marked defects."><input type="checkbox" checked> Marked defects</label>
    <span class="classes"></span>
    <span class="legend">Heat 0 <img alt="Colour scale of the heat, from 0, black, to 1, pale yellow"> <output></output></span>
  </div>
  <p class="name">The steel</p>
  <div class="band steel"></div>
  <p class="name method"></p>
  <div class="band heats"></div>
  <div class="cards"></div>
</div>
"""

CSS = """
.strip { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.85rem; }
.controls { display: flex; flex-wrap: wrap; gap: 0.4rem 1rem; align-items: center; margin-bottom: 0.4rem; }
.controls label, .legend, .classes span { display: inline-flex; gap: 0.5rem; align-items: center; white-space: nowrap; }
.controls input { accent-color: var(--st-primary-color); margin: 0; }
.controls input[type=range] { width: 5.5rem; }
.controls output { min-width: 2.4rem; font-variant-numeric: tabular-nums; }
.classes { display: inline-flex; flex-wrap: wrap; gap: 0.2rem 1rem; }
.classes i { width: 1rem; height: 0; border-top: 3px solid; }
.legend { margin-left: auto; }
.legend output { min-width: 0; }
.legend img { width: 7rem; height: 0.8rem; border: 1px solid var(--st-border-color); }
.name { margin: 0.5rem 0 0.2rem; font-weight: 600; }
.band { position: relative; aspect-ratio: 1600 / 256; overflow: hidden; background: #202327; }
.band > img, .band > svg { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; pointer-events: none; }
.pane {
  position: absolute; top: 0; bottom: 0; padding: 0; margin: 0; border: 0; background: none; font: inherit; color: #fff;
  outline: 1px solid #ffffff66; outline-offset: -1px; overflow: hidden;
}
button { cursor: pointer; }
button.pane:hover, button.pane:focus-visible { outline: 3px solid #fff; outline-offset: -3px; }
.pane img { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
.pane .number {
  position: absolute; left: 0; top: 0; padding: 0 0.35rem; font-size: 0.75rem; background: #202327cc; color: #fff; font-weight: 400;
}
.gap, .veil.gap { background: repeating-linear-gradient(45deg, #3b4046 0 8px, #4a5057 8px 16px); }
.veil {
  position: absolute; inset: 0; display: grid; place-content: center; text-align: center; padding: 0.4rem; font-size: 0.75rem;
  line-height: 1.3; background: rgb(32 35 39 / 72%);
}
.failed .veil { background: repeating-linear-gradient(45deg, rgb(60 20 20 / 88%) 0 10px, rgb(84 28 28 / 88%) 10px 20px); }
.first { outline: 2px dashed #fff; outline-offset: -2px; }
path { fill: none; vector-effect: non-scaling-stroke; }
.halo { stroke: #000; stroke-opacity: 0.65; stroke-width: 3px; }
.line { stroke-width: 1.5px; }
.cards { position: relative; display: grid; grid-template-columns: repeat(6, 1fr); gap: 0.5rem; margin: 0.5rem 2% 0; }
.card {
  font: inherit; color: inherit; text-align: left; background: var(--st-background-color); border: 1px solid var(--st-border-color);
  border-top: 3px solid var(--class); border-radius: 4px; padding: 0.35rem 0.5rem 0.45rem; line-height: 1.4; align-self: stretch;
  display: flex; flex-direction: column;
}
button.card:hover { border-color: var(--st-primary-color); }
.card:focus-visible, input:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.card.remarkable { background: #fdf3e1; }
.card span { display: block; overflow-wrap: anywhere; }
.card .title { font-weight: 600; }
.card.empty { opacity: 0.75; border-top-color: var(--st-border-color); }
"""

JS = (
    ELEMENTS
    + """
const kept = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".strip");
  if (!kept.has(root)) kept.set(root, begin(root));
  const view = kept.get(root);
  view.open = (patch) => setTriggerValue("opened", patch);
  const drawn = JSON.stringify(data);
  if (view.drawn === drawn) return; // the page was drawn again, the pictures are the same
  view.drawn = drawn;
  root.querySelector(".legend img").src = data.legend;
  root.querySelector(".legend").title = data.scale.meaning;
  root.querySelector(".legend output").textContent = data.scale.end;
  root.querySelector(".truth").style.display = data.has_truth ? "" : "none";
  root.querySelector(".method").textContent = `The heat of ${data.method}`;
  root.querySelector(".classes").replaceChildren(...data.outlines.map(named));
  const steel = () => element("img", { src: data.image, alt: `Strip ${data.name}`, draggable: false });
  const panes = (bare) => data.panes.map((pane) => windowOf(pane, bare, view));
  root.querySelector(".steel").replaceChildren(steel(), ...data.gaps.map(gap), ...panes(true), outlines(data));
  root.querySelector(".heats").replaceChildren(steel(), ...data.gaps.map(gap), ...panes(false), outlines(data));
  root.querySelector(".cards").replaceChildren(...data.panes.map((pane) => card(pane, view)));
  view.show();
}

function begin(root) {
  const [slider, heat, marks] = root.querySelectorAll("input");
  const show = () => {
    root.querySelector("label output").textContent = `${slider.value} %`;
    slider.disabled = !heat.checked;
    for (const layer of root.querySelectorAll(".heat")) layer.style.opacity = heat.checked ? slider.value / 100 : 0;
    for (const drawing of root.querySelectorAll(".band > svg")) drawing.style.display = marks.checked ? "" : "none";
  };
  slider.addEventListener("input", show);
  for (const layer of [heat, marks]) layer.addEventListener("change", show);
  return { show };
}

function named({ colour, title }) {
  return element("span", {}, element("i", { style: `border-color: ${colour}` }), element("span", { text: title }));
}

function gap({ left, width }) {
  return element("div", { class: "pane gap", style: `left: ${left}%; width: ${width}%` });
}

// What a click opens, where there is something to open.
function door(pane, view, attributes, ...children) {
  if (!pane.patch) return element("div", attributes, ...children);
  const button = element("button", { type: "button", title: `Open window ${pane.number}`, ...attributes }, ...children);
  button.addEventListener("click", () => view.open(pane.patch));
  return button;
}

function windowOf(pane, bare, view) {
  const { heat } = pane;
  const parts = [];
  if (!bare && heat.heat) parts.push(element("img", { class: "heat", src: heat.heat, alt: heat.alt, draggable: false }));
  parts.push(element("span", { class: "number", text: String(pane.number) }));
  if (!bare && heat.words) parts.push(element("span", { class: "veil", role: "status", text: heat.words }));
  if (!pane.seen) parts.push(element("span", { class: "veil gap", text: bare ? pane.title : "" }));
  const kind = bare ? "" : heat.state;
  const label = `Window ${pane.number}: ${pane.title}`;
  return door(pane, view, { class: `pane ${kind}`, style: `left: ${pane.left}%; width: ${pane.width}%`, "aria-label": label, tabindex: -1 }, ...parts);
}

function card(pane, view) {
  const kind = `card ${pane.patch ? "" : "empty"} ${pane.remarkable ? "remarkable" : ""}`;
  const lines = pane.lines.map((text) => element("span", { text }));
  const title = element("span", { class: "title", text: pane.title });
  return door(pane, view, { class: kind, style: `--class: ${pane.colour}` }, element("span", { text: `Window ${pane.number}` }), title, ...lines);
}

function outlines(data) {
  const drawing = svg("svg", { viewBox: "0 0 1600 256", preserveAspectRatio: "none", "aria-hidden": true });
  for (const { path, colour } of data.outlines) {
    drawing.append(svg("path", { class: "halo", d: path }), svg("path", { class: "line", d: path, stroke: colour }));
  }
  return drawing;
}
"""
)
