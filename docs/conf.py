"""Settings of the documentation site, which `make docs` builds with Sphinx into `out/site`."""

import re
import sys
from pathlib import Path
from typing import Any

import plotly

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from engine.plots.page import SCRIPT  # noqa: E402
from engine.version import VERSION  # noqa: E402

project = "lanewise"
author = "The lanewise authors"
copyright = author
version = release = VERSION

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "docstrings",
    "figures",
    "gallery",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

nb_execution_mode = "off"  # the notebooks are committed as `make tutorials` executed them
nb_merge_streams = True
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_custom_sections = [("Fields", "params_style"), "Source"]
napoleon_use_rtype = False
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!lanewise\.).*")]  # names of this project resolve; no other site is asked

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

html_theme = "pydata_sphinx_theme"
html_title = "lanewise"
html_show_sourcelink = False
html_static_path = ["_static", str(SCRIPT), str(Path(plotly.__file__).parent / "package_data" / "plotly.min.js")]
html_css_files = ["site.css"]
html_sidebars = {"gallery": []}
html_theme_options = {
    "logo": {"text": "lanewise"},
    "show_prev_next": True,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def _trimmed(app: Any, name: str, source: list[str]) -> None:
    """Code blocks without the blank line that ends a doctest in Markdown."""
    source[0] = re.sub(r"\n\n```$", "\n```", source[0], flags=re.MULTILINE)


def setup(app: Any) -> None:
    app.connect("source-read", _trimmed)
