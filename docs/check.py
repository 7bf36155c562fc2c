"""Check the built site without a browser: dead links and missing files, and words that its search must find.

`python docs/check.py [FOLDER]`; exit code 1 and a line for each fault. Links to other sites are not followed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.search.en import SearchEnglish

SITE = Path(__file__).parents[1] / "out" / "site"
SEARCHED = {
    "bounds": "guide/domains",
    "STALLED": "guide/statuses",
    "standard error": "guide/fits",
    "curve_fit": "reference/problems",
}
"""Words a reader types -> a page that must be among those that hold them all."""


class _Page(HTMLParser):
    """Anchors and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.anchors |= {value for name in ("id", "name") if (value := found.get(name))}
        self.links |= {value for name in ("href", "src") if (value := found.get(name))}


def pages_of(site: Path) -> list[Path]:
    """The pages, without those that a theme brings along."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def dead_links(site: Path) -> Iterator[str]:
    """Links of each page whose file, or whose anchor in that file, is not there."""
    pages = {path.resolve(): _Page(path.read_text()) for path in pages_of(site)}
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            missing = not target.exists()
            if not missing and parts.fragment and target in pages:
                missing = unquote(parts.fragment) not in pages[target].anchors
            if missing:
                yield f"{path.relative_to(site.resolve())}: {link} leads nowhere"


def unfound(site: Path) -> Iterator[str]:
    """Words of `SEARCHED` that the search index does not lead to their page by."""
    index = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", (site / "searchindex.js").read_text(), re.DOTALL)[1])  # type: ignore[index]
    stem = SearchEnglish({}).stem
    for words, page in SEARCHED.items():
        number = index["docnames"].index(page)
        for word in words.lower().split():
            places = [index[kind].get(stem(word), []) for kind in ("terms", "titleterms")]
            if not any(number in (place if isinstance(place, list) else [place]) for place in places):
                yield f"search: {word!r} does not lead to {page}"


def main() -> int:
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else SITE
    faults = [*dead_links(site), *unfound(site)]
    print(*faults or [f"{len(pages_of(site))} pages: no dead link, and the search finds its words"], sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
