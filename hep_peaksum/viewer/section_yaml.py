"""A collection as it is written in a config, from its settings."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

from hep_peaksum.config.sections import ClusterInput
from hep_peaksum.library.presets import as_settings


class _Dumper(yaml.SafeDumper):
    """YAML in which drawn windows look as they are drawn."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def section_yaml(name: str, section: ClusterInput) -> str:
    """Return a collection as it is written in a config: its grid, its preset, and the keys that differ.

    >>> section = ClusterInput.model_validate({"grid": "calo", "tie_rule": "all"})
    >>> print(section_yaml("Jet", section), end="")
    clusters:
      Jet: {grid: calo, tie_rule: all}
    """
    usual = _usual_values(section.preset)
    values = section.settings.model_dump(mode="json")
    content: dict[str, Any] = {"grid": section.grid[0] if len(section.grid) == 1 else list(section.grid)}
    content |= {} if section.preset is None else {"preset": section.preset}
    content |= {key: value for key, value in values.items() if value != usual[key]}
    content |= {} if section.fields is None else {"fields": list(section.fields)}
    if section.reference is not None:
        content["reference"] = section.reference.model_dump(mode="json", exclude_defaults=True)
    options: dict[str, Any] = {"sort_keys": False, "default_flow_style": None, "allow_unicode": True}
    return str(yaml.dump({"clusters": {name: content}}, Dumper=_Dumper, width=100, **options))


@lru_cache(maxsize=8)
def _usual_values(preset: str | None) -> dict[str, Any]:
    """Return what a collection with a preset, or without one, need not say."""
    return as_settings(preset).model_dump(mode="json")
