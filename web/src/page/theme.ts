// Light or dark: as the system has it, until somebody says otherwise.
import {icon} from "./dom.ts";

const THEMES = ["", "light", "dark"];

function set(button: HTMLElement, name: string): void {
	if (name === "") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = name;
	const said = {light: "Light", dark: "Dark"}[name] ?? "Auto";
	button.replaceChildren(icon("theme"), said);
	button.setAttribute("aria-label", `Theme: ${said}`);
	button.title = "Theme: as your system has it, light, dark";
}

/** The button goes round. */
export function startTheme(button: HTMLElement): void {
	set(button, localStorage.getItem("theme") ?? "");
	button.addEventListener("click", () => {
		const now = THEMES.indexOf(document.documentElement.dataset.theme ?? "");
		const next = THEMES[(now + 1) % THEMES.length] ?? "";
		localStorage.setItem("theme", next);
		set(button, next);
	});
}
