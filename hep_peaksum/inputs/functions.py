"""Functions of the user, named in the config as ``module:function``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import WithJsonSchema

FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
FunctionName = Annotated[
    str, WithJsonSchema({"title": "module:function", "type": "string", "pattern": FUNCTION})
]


def brief_error(error: Exception) -> str:
    r"""Return an error on one line: its type and what it says.

    >>> brief_error(ValueError("no\n such cell"))
    'ValueError: no such cell'
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def user_function(name: str) -> Callable[..., Any]:
    """Return the function ``module:function``.

    Raises
    ------
    ValueError
        If it cannot be imported; the message says why and what to do.

    >>> user_function("math:hypot")(3, 4)
    5.0
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # noqa: BLE001 -- what the module of a user raises can be anything
        remedy = "put its folder on PYTHONPATH" if isinstance(error, ImportError) else "mend the module"
        msg = f"{name} cannot be imported ({brief_error(error)}): {remedy}"
        raise ValueError(msg) from None  # the first of a chain of errors is what a job reports
    if not callable(function):
        msg = f"{name} is {type(function).__name__}, expected a function"
        raise ValueError(msg)
    return function  # type: ignore[no-any-return]
