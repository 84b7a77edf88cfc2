"""Reading a report as a browser does: its elements, its tables, its pictures."""

from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

VOID = {"meta", "img", "input", "br", "link", "hr"}
SVG = "data:image/svg+xml;base64,"


class Page(HTMLParser):
    """The elements of a page, with its tables as lists of rows; an element that is not closed is an error."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.text = Path(path).read_text(encoding="utf-8")
        self.open, self.elements, self.words = [], [], []
        self.every_table = []
        self.feed(self.text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        if tag not in VOID:
            self.open.append(tag)
        if tag == "caption":
            self.caption = ""
        if tag == "tr":
            self.row = []
        if tag in ("td", "th"):
            self.row.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "caption":
            self.every_table.append((self.caption, []))
        if tag == "tr":
            self.every_table[-1][1].append(self.row)

    def handle_data(self, data):
        if not self.open or self.open[-1] == "style":
            return
        self.words.append(data)
        if self.open[-1] == "caption":
            self.caption += data
        if self.open[-1] in ("td", "th"):
            self.row[-1] += data

    @property
    def tables(self):
        """Return the rows of every table by its caption, of several with one caption those of the first."""
        return dict(reversed(self.every_table))

    @property
    def visible(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def pictures(self):
        """Return every SVG as an element tree, with the words that stand for it."""
        images = [(image["alt"], image["src"]) for image in self.all("img")]
        assert all(source.startswith(SVG) for _, source in images)
        return [(alt, ET.fromstring(b64decode(source[len(SVG) :]))) for alt, source in images]


def tags_of(picture):
    """Return the names of the elements of an SVG."""
    return [element.tag.rpartition("}")[2] for element in picture.iter()]


def texts_of(picture):
    """Return what is written in an SVG."""
    return ["".join(element.itertext()).strip() for element in picture.iter() if element.tag.endswith("}text")]
