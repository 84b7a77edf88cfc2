"""The documentation site: `nox -s docs`, or `sphinx-build -W -n --keep-going docs docs/_build/html`."""

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))
# the tutorials call hep-peaksum, which lies beside this Python
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

project = "hep_peaksum"
author = "The hep_peaksum developers"
project_copyright = author
version = release = version_of("hep_peaksum")
language = "en-GB"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_reredirects",
    "model_fields",
    "preset_pages",
    "repository_links",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}  # rst, the first: pages of functions, generated

# Docstrings refer to other packages, whose pages are not looked up: a build makes no request.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!hep_peaksum\b).*")]
autosummary_generate = True
autodoc_typehints = "none"
autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "model_config"}
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_in_temp = True
nb_merge_streams = True
nb_ipywidgets_js = {}  # or pages with progress bars load them from elsewhere

html_theme = "pydata_sphinx_theme"
html_title = f"hep_peaksum {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "hep_peaksum"},
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["site-footer"],
    "footer_center": [],
    "footer_end": ["copyright"],
    "back_to_top_button": True,
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Pages that moved, so that old addresses still lead somewhere.
redirects = {"tutorial": "tutorials/arrays.html", "install": "get-started/install.html"}
