"""The base class of all that a user writes: settings, geometries, sections of the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from hep_peaksum.settings.messages import key_meant, problems_of, shown

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
    from typing_extensions import Self
else:
    ModelMetaclass = type(BaseModel)


class SettingsError(ValueError):
    """Arguments that settings, an axis or a grid cannot be made of, a line for each problem."""


def plain(value: Any) -> Any:
    """Return maps and lists of any class, such as OmegaConf's, as dict and list; other values as they are.

    >>> from types import MappingProxyType
    >>> plain(MappingProxyType({"rows": MappingProxyType({"n": 2}), "shape": (2, 3)}))
    {'rows': {'n': 2}, 'shape': (2, 3)}
    """
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, tuple, range)):
        return [plain(each) for each in value]
    return value


def text_under(key: str) -> Callable[[object], object]:
    """Return a function that takes a text which stands alone for a map of one key; other values are kept."""
    return lambda value: {key: value} if isinstance(value, str) else value


class _InPlainWords(ModelMetaclass):
    """Models whose errors, when they are made in Python, are one line for each problem."""

    if not TYPE_CHECKING:  # type checkers know the arguments of every model

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            names = [each.alias or name for name, each in cls.model_fields.items()]
            if args:
                wanted = ", ".join(f"{name}=..." for name in names[:4])
                msg = f"{cls.__name__} takes its arguments by name: {cls.__name__}({wanted}, ...)"
                raise TypeError(msg)
            for name in kwargs:
                if name not in names:
                    known = key_meant(name, names) or f"; there are {', '.join(names)}"
                    msg = f"{cls.__name__} has no {name!r}{known}"
                    raise SettingsError(msg)
            try:
                return super().__call__(**plain(kwargs))
            except ValidationError as error:
                raise SettingsError("\n".join(problems_of(error, partial(_known_keys, cls)))) from None


def _known_keys(model: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    """Return the keys beside the last one of a location, which goes from model to model."""
    for part in loc[:-1]:
        kind = model.model_fields[part].annotation if part in model.model_fields else None
        kinds = (kind, *get_args(kind))
        inner = [each for each in kinds if isinstance(each, type) and issubclass(each, FrozenModel)]
        if not inner:
            return []
        model = inner[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _frozen(model: BaseModel, name: str, value: str) -> str:
    """Return how to make a copy with another value of a key, which cannot be changed itself."""
    kind = type(model).__name__
    names = type(model).model_fields
    if name not in names:
        return f"{kind} has no {name!r}{key_meant(name, list(names))}, and is frozen"
    return f"{name}: {kind} is frozen: make a copy with .model_copy(update={{{name!r}: {value}}})"


class FrozenModel(BaseModel, metaclass=_InPlainWords):
    """A model that refuses unknown keys and cannot be changed, hence is hashable."""

    __slots__ = ("_hash",)  # no field, hence neither compared, nor copied, nor sent to other processes
    model_config = ConfigDict(frozen=True, extra="forbid")

    if TYPE_CHECKING:
        _hash: int

    def __hash__(self) -> int:
        """Return the hash of all values, computed once: every search looks up what follows from them."""
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash(tuple(self.__dict__.values())))
            return self._hash

    if not TYPE_CHECKING:  # type checkers see by themselves that a model is frozen

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                super().__setattr__(name, value)
            except ValidationError:
                raise AttributeError(_frozen(self, name, shown(value))) from None

        def __delattr__(self, name: str) -> None:
            try:
                super().__delattr__(name)
            except ValidationError:
                raise AttributeError(_frozen(self, name, "...")) from None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with some keys changed; unlike pydantic's, it is validated as a whole."""
        if not update:
            return super().model_copy(deep=deep)
        names = {name: field.alias or name for name, field in type(self).model_fields.items()}
        given = {names[name]: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **{names.get(key, key): update[key] for key in update}})
