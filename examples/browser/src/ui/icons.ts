const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  folder: "M3.5 6.5h6l2 2.5h9v9.5h-17z",
  file: "M6.5 3.5h7l4 4v13h-11zM13.5 3.5v4h4",
  up: "M12 19V6m0 0-5 5m5-5 5 5",
  down: "M12 5v13m0 0-5-5m5 5 5-5",
} as const;

/** A drawn sign next to a text with the same meaning. */
export function icon(name: keyof typeof PATHS): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon ${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
