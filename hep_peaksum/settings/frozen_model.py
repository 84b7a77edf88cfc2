"""The base class of all that a user writes: settings, geometries, sections of the config."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A model that refuses unknown keys and cannot be changed, hence is hashable."""

    model_config = ConfigDict(frozen=True, extra="forbid")
