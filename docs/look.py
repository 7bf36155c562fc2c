"""Look at the built site in a Chrome or Chromium: `python docs/look.py [PAGE ...]`. Needs the pictures extra, and `make docs` before.

Every page, or those that are named, at each width: exit code 1 where a page is wider than its window, or cuts off what does not
scroll. Pictures of both themes go to `out/looks`.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import choreographer

SITE = Path(__file__).parents[1] / "out" / "site"
LOOKS = SITE.parent / "looks"
WIDTHS = {"wide": 1400, "middle": 1000, "phone": 390}
PICTURES = ("wide", "phone")
TALLEST = 6000
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT = """[...document.querySelectorAll('.bd-article-container *')].filter(element => {
    if (element.getBoundingClientRect().right <= document.documentElement.clientWidth + 1) return false;
    const main = element.closest('.bd-article-container');
    for (let box = element; box !== main; box = box.parentElement)
        if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return false;
    return element.checkVisibility();
}).length"""
READY = "document.readyState === 'complete' && [...document.querySelectorAll('.plotly-plot')].every(p => p.querySelector('svg'))"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


async def _value(tab: Any, expression: str) -> Any:
    answer = await tab.send_command("Runtime.evaluate", {"expression": expression})
    return answer["result"]["result"].get("value")


async def _open(tab: Any, url: str, width: int, theme: str) -> None:
    """The page in a window of a width, with its figures drawn."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    await tab.send_command("Emulation.setDeviceMetricsOverride", size)
    await tab.send_command("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    await tab.send_command("Page.navigate", {"url": url})
    for _ in range(100):
        await asyncio.sleep(0.1)
        if await _value(tab, f"location.href === {url!r} && {READY}"):
            return


async def _picture(tab: Any, file: Path, width: int) -> None:
    height = min(await _value(tab, "document.documentElement.scrollHeight"), TALLEST)
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    answer = await tab.send_command("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(base64.b64decode(answer["result"]["data"]))


async def look(base: str, pages: list[str]) -> list[str]:
    """The pages that are wider than their window or cut something off."""
    found = []
    async with choreographer.Browser() as browser:
        tab = await browser.create_tab()
        for page in pages:
            for name, width in WIDTHS.items():
                for theme in ("light", "dark") if name in PICTURES else ("light",):
                    await _open(tab, f"{base}/{page}", width, theme)
                    over, cut = await _value(tab, WIDER), await _value(tab, CUT)
                    found += [f"{page} at {width} px: {over} px too wide, {cut} elements cut off"] if over > 0 or cut else []
                    if name in PICTURES:
                        await _picture(tab, LOOKS / f"{page.removesuffix('.html').replace('/', '-')}-{name}-{theme}.png", width)
    return found


def main() -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    every = [path.relative_to(SITE).as_posix() for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts]
    found = asyncio.run(look(f"http://127.0.0.1:{server.server_port}", sys.argv[1:] or every))
    print(*found or ["no page is wider than its window, nothing is cut off"], sep="\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
