"""What there is in `hdl/rtl`, as its files say: one module a file, a description in its first comment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flightsw.errors import ConfigError
from hdl.toolchain import RTL

_BENCHES = Path(__file__).parent / "tb"
_COMMENT = re.compile(r"//.*")
_PARAMETER = re.compile(r"\bparameter\b\s*(?:\[[^\]]*\])?\s*(\w+)\s*=\s*(.+?)\s*(?=,\s*parameter\b|$)", re.DOTALL)


@dataclass(frozen=True)
class Module:
    """A module of the RTL."""

    name: str
    #: first sentence of the file
    description: str
    #: default values by name, as Verilog expressions
    parameters: Mapping[str, str]
    #: the file of its own bench; a part of another module may have none
    bench: Path | None


def modules(rtl: Path = RTL, benches: Path = _BENCHES) -> list[Module]:
    """Every module of the folder `rtl`, by name."""
    return [_read(path, benches) for path in sorted(rtl.glob("*.v"))]


def module(name: str, rtl: Path = RTL, benches: Path = _BENCHES) -> Module:
    """The module of that name; raises ConfigError, which lists all, where there is none."""
    found = {module.name: module for module in modules(rtl, benches)}
    if name not in found:
        raise ConfigError(f"module: expected one of {', '.join(found)}; found {name!r}")
    return found[name]


def _read(path: Path, benches: Path) -> Module:
    text = path.read_text()
    bench = benches / f"test_{path.stem}.py"
    return Module(path.stem, _description(text), _parameters(path.stem, text), bench if bench.exists() else None)


def _description(text: str) -> str:
    """First sentence of the comment that a file begins with."""
    lines = []
    for line in text.splitlines():
        words = line.removeprefix("//").strip()
        if not line.startswith("//") or not words:
            break
        lines.append(words)
    return re.split(r"(?<=\.)\s", " ".join(lines), maxsplit=1)[0]


def _parameters(name: str, text: str) -> dict[str, str]:
    """Default values of the parameters in the head of module `name`."""
    code = _COMMENT.sub("", text)
    head = re.search(rf"\bmodule\s+{name}\s*#\s*\((.*?)\)\s*\(\s*(?:input|output|inout)\b", code, re.DOTALL)
    return dict(_PARAMETER.findall(head[1].strip())) if head else {}
