// The page for frames: the player of the relayer that serves it, and nothing else. ?stream= names the stream, ?account= who pays, and
// ?max-price= what is paid without a question. It has no part that could ask a wallet.
import "../embed/src/player.ts";
import {el} from "./page/dom.ts";

const {searchParams} = new URL(location.href);
const player = el("clustercast-player", {relayer: new URL("./", location.href).href, keys: "page"});
for (const name of ["stream", "account", "max-price", "theme"]) {
	const value = searchParams.get(name);
	if (value !== null) player.setAttribute(name, value);
}
player.addEventListener("title", (event) => (document.title = (event as CustomEvent<{title: string}>).detail.title));
document.body.append(player);
