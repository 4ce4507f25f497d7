// Elements without markup in text: nothing here is parsed, so nothing that somebody sends can become code.

type Attributes = Record<string, string | boolean>;

/** An element with these attributes and children; `true` is an attribute without a value, `false` is none. */
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
	const made = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (value !== false) made.setAttribute(name, value === true ? "" : value);
	}
	made.append(...children);
	return made;
}

/** A name and what it is: a row of a `<dl>`. */
export function row(name: Node | string, what: HTMLElement, kind = ""): HTMLDivElement {
	return el("div", kind === "" ? {} : {class: kind}, el("dt", {}, name), what);
}

const SVG = "http://www.w3.org/2000/svg";

function drawn(tag: string, attributes: Record<string, string>, ...children: Node[]): SVGElement {
	const made = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
	made.append(...children);
	return made;
}

// In a square of 24: what is filled, and what is drawn as a line.
const ICONS = {
	play: ["M8 5.2v13.6a.6.6 0 0 0 .9.5l10.6-6.8a.6.6 0 0 0 0-1L8.9 4.7a.6.6 0 0 0-.9.5z", ""],
	pause: ["M6.5 5h3.6v14H6.5zM13.9 5h3.6v14h-3.6z", ""],
	sound: ["M3.5 9.4v5.2h3.4l5.1 4.2V5.2L6.9 9.4z", "M15.4 9a4.2 4.2 0 0 1 0 6M18 6.4a8 8 0 0 1 0 11.2"],
	muted: ["M3.5 9.4v5.2h3.4l5.1 4.2V5.2L6.9 9.4z", "M15.8 9.6l5 5M20.8 9.6l-5 5"],
	figures: ["", "M5 19v-6M10 19V5M15 19v-9M20 19v-4"],
	mini: ["M12.5 12.5h7v5h-7z", "M21 11V6.5A1.5 1.5 0 0 0 19.5 5h-15A1.5 1.5 0 0 0 3 6.5v11A1.5 1.5 0 0 0 4.5 19H10"],
	full: ["", "M4 9V5.5A1.5 1.5 0 0 1 5.5 4H9M15 4h3.5A1.5 1.5 0 0 1 20 5.5V9M20 15v3.5a1.5 1.5 0 0 1-1.5 1.5H15M9 20H5.5A1.5 1.5 0 0 1 4 18.5V15"],
	theme: ["M12 4.5a7.5 7.5 0 0 1 0 15z", "M12 4.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15z"],
} as const;

export type Icon = keyof typeof ICONS;

export function icon(name: Icon): SVGElement {
	const [filled, line] = ICONS[name];
	const paths = [drawn("path", {d: filled, fill: "currentColor"}), drawn("path", {d: line, fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linecap": "round", "stroke-linejoin": "round"})];
	return drawn("svg", {viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon"}, ...paths);
}

/** The mark: one in the middle, and three whom it reaches. */
export function mark(): SVGElement {
	const nodes = [
		["6", "9"],
		["26", "9"],
		["16", "27"],
	] as const;
	const lines = nodes.map(([x, y]) => drawn("path", {d: `M16 16 ${x} ${y}`}));
	const circles = nodes.map(([cx, cy]) => drawn("circle", {cx, cy, r: "2.6"}));
	return drawn("svg", {viewBox: "0 0 32 32", "aria-hidden": "true", class: "mark"}, ...lines, ...circles, drawn("circle", {cx: "16", cy: "16", r: "4", class: "middle"}));
}

/** A button that is a picture: it says what it does to who cannot see it, and to who points at it. */
export function pictured(id: string, name: Icon, label: string, keys: string): HTMLButtonElement {
	const made = el("button", {id, type: "button", class: "pictured", "aria-keyshortcuts": keys}, icon(name));
	relabel(made, name, label, keys);
	return made;
}

/** The same button, that does something else now. */
export function relabel(button: HTMLButtonElement, name: Icon, label: string, keys: string): void {
	if (button.dataset.icon === name && button.ariaLabel === label) return;
	button.dataset.icon = name;
	button.setAttribute("aria-label", label);
	button.title = `${label} (${keys.split(" ")[0]})`;
	button.replaceChildren(icon(name));
}
