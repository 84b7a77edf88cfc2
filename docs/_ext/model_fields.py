"""The fields of pydantic models as the parameters of their classes, as `hep-peaksum keys` shows them."""

import textwrap

from pydantic import BaseModel


def _parameters(model):
    """Yield the lines of the section `Parameters` of numpydoc."""
    yield from ("", "Parameters", "----------")
    for name, field in model.model_fields.items():
        yield name if field.is_required() else f"{name} : default {field.default!r}"
        text = (field.description or "").replace("*", "\\*").replace("|", "\\|")
        yield from textwrap.indent(textwrap.fill(text, 100), "    ").splitlines()


def _add_fields(app, what, name, obj, options, lines):  # noqa: ARG001 -- as sphinx calls it
    if what == "class" and issubclass(obj, BaseModel):
        lines.extend(_parameters(obj))


def setup(app):
    app.connect("autodoc-process-docstring", _add_fields, priority=400)  # before numpydoc
    return {"parallel_read_safe": True}
