"""The part of Numba's interface that beamlock uses; Numba ships no types."""

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

def njit(*, cache: bool = ..., inline: str = ..., fastmath: bool = ..., nogil: bool = ...) -> Callable[[_F], _F]: ...

prange = range
