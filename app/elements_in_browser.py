"""JavaScript with which the components of a page make their elements: `element`, and `svg` for drawings."""

ELEMENTS = """
function element(name, { text, ...attributes }, ...children) {
  return filled(document.createElement(name), attributes, text, children);
}

function svg(name, attributes) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, undefined, []);
}

function filled(node, attributes, text, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  node.append(...children);
  return node;
}
"""
