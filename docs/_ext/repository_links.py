"""Links to files of the repository, which README.md and its like write as seen from the top of it."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    "ARCHITECTURE.md": "docs/explanation/design.md",
    "CHANGELOG.md": "docs/changes.md",
    "CITATION.cff": "docs/citing.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "README.md": "docs/index.md",
}
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def _site_links(text, folder, page_folder):
    """Return Markdown of a folder with its links changed to those of a page in another folder."""

    def site_link(match):
        path = Path(os.path.normpath(folder / match[1])).relative_to(ROOT)
        target = ROOT / PAGES.get(str(path), path)
        return f"]({Path(os.path.relpath(target, page_folder)).as_posix()}"

    return LINK.sub(site_link, text)


def _read_page(app, name, content):
    folder = Path(app.env.doc2path(name)).parent
    content[0] = _site_links(content[0], folder, folder)


def _read_include(app, path, name, content):
    included = (Path(app.srcdir) / path).resolve()
    if included.suffix == ".md":
        content[0] = _site_links(content[0], included.parent, Path(app.env.doc2path(name)).parent)


def setup(app):
    app.connect("source-read", _read_page)
    app.connect("include-read", _read_include)
    return {"parallel_read_safe": True}
