"""Which lines and toggles of the RTL its benches have been through, from what Verilator counts.

A point is a branch or block of statements, or one direction of one bit of a signal. It is covered if any run came by,
whatever the run's parameters; a point that no run's parameters elaborate is none. Signals wider than 256 bits, memories
among them, are not counted (Verilator's `--coverage-max-width`), and neither is what is constant by design.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from flightsw.errors import ConfigError
from hdl import catalog
from hdl.toolchain import BUILD, COVERAGE, RTL

Kind = Literal["line", "toggle"]

#: What of the datapath has to be covered, in percent.
TARGETS: Mapping[Kind, float] = {"line": 100.0, "toggle": 95.0}

#: The modules that octets of frames go through.
DATAPATH = (
    *("axis_append", "axis_fifo", "axis_register", "axis_width_converter", "ccsds_convolutional_encoder"),
    *("ccsds_crc16", "ccsds_ldpc_c2_encoder", "ccsds_ldpc_c2_parity", "ccsds_ldpc_c2_syndrome", "ccsds_randomizer"),
    *("ccsds_registers", "ccsds_rs_encoder", "ccsds_sync_marker", "ccsds_tm_encoder", "sequence_word"),
    *("systematic_check", "systematic_encoder", "word_fifo"),
)

#: Toggles of signals that are constant by design: modules, toggles (regular expressions), reason.
CONSTANT: tuple[tuple[str, str, str], ...] = (
    (r"axis_.*|ccsds_.*", r"(.*[._])?t?keep(\[\d\])?\[0\]:1->0", "lane 0 is there in every beat, from the first on"),
    (r"ccsds_convolutional_encoder", r"(in_current|done|ends_current|ends_next|place_after)\[.*", "tables"),
    (r"ccsds_ldpc_c2_parity", r"g_half\[\d\]\.sums\[0\]:.*", "the sum of no bits"),
    (r"ccsds_sync_marker", r"marker\[.*", "the marker"),
    (r"sequence_word", r"first\[.*", "the sequence's first beat"),
    (r"systematic_check", r"wide\[.*", "the register's own bits are counted there; below them are zeros"),
    (
        r"systematic_check",
        r"g_turn\[\d+\]\.(g_\w+\.)?sum\[.*",
        "bits that a row has not; what they add to is counted as sums",
    ),
)
#: Functions that only constants call: evaluated at elaboration, where nothing is counted. Module and name.
ELABORATED = frozenset(
    {
        ("ccsds_convolutional_encoder", "needed"),
        ("ccsds_convolutional_encoder", "used"),
        ("ccsds_ldpc_c2_parity", "bits_of"),
        ("sequence_word", "power"),
    }
)

_FUNCTION = re.compile(r"\bfunction\b[^;]*?(\w+);.*?\bendfunction\b", re.DOTALL)
_KINDS: Mapping[str, Kind] = {"line": "line", "branch": "line", "toggle": "toggle"}
_COUNT = re.compile(r"^C '(.*)' (\d+)$")


@dataclass(frozen=True, order=True)
class Point:
    """A place in the source of a module; `what` is the kind of branch, or signal, bit and direction."""

    module: str
    line: int
    column: int
    kind: Kind
    what: str

    def __str__(self) -> str:
        return f"{self.module}.v:{self.line}: {self.kind} {self.what}"


@dataclass(frozen=True)
class Row:
    """A module's points, covered and all, of each kind, and those not covered in the order of the source."""

    module: str
    covered: Mapping[Kind, int]
    points: Mapping[Kind, int]
    uncovered: list[Point] = field(repr=False)

    def percent(self, kind: Kind) -> float:
        """Share of the points that are covered; 100 where there are none."""
        return 100.0 * self.covered[kind] / self.points[kind] if self.points[kind] else 100.0

    def reaches(self, targets: Mapping[Kind, float] = TARGETS) -> bool:
        """True if every kind of point is covered to its target, in percent."""
        return all(self.percent(kind) >= target for kind, target in targets.items())


def read(path: Path) -> dict[Point, int]:
    """How often a run came by each of its points, from a file that Verilator's runtime writes.

    Raises ConfigError for a file of another kind.
    """
    counts: dict[Point, int] = {}
    lines = path.read_text().splitlines()
    if not lines or not lines[0].startswith("# SystemC::Coverage-3"):
        found = repr(lines[0][:40]) if lines else "nothing"
        raise ConfigError(f"{path}: expected '# SystemC::Coverage-3' in its first line, found {found}; measure again")
    for number, line in enumerate(lines[1:], 2):
        match = _COUNT.match(line)
        fields = dict(each.partition("\2")[::2] for each in match[1].split("\1")[1:]) if match else {}
        if match is None or not {"f", "l", "n", "t", "o"} <= fields.keys():
            raise ConfigError(f"{path}:{number}: expected a count of a point, found {line[:40]!r}; measure again")
        if fields["t"] in _KINDS:
            place = (Path(fields["f"]).stem, int(fields["l"]), int(fields["n"]))
            point = Point(*place, _KINDS[fields["t"]], fields["o"])
            counts[point] = counts.get(point, 0) + int(match[2])
    return counts


def merge(runs: Iterable[Mapping[Point, int]]) -> dict[Point, int]:
    """Sums over several runs, also of different parameters."""
    total: dict[Point, int] = {}
    for run in runs:
        for point, count in run.items():
            total[point] = total.get(point, 0) + count
    return total


def table(counts: Mapping[Point, int], modules: Collection[str] = DATAPATH, rtl: Path = RTL) -> list[Row]:
    """A row for each of the modules, by name; one that no run holds has no points, and is left out."""
    rows = []
    for module in sorted(modules):
        elaborated = _elaborated(module, rtl)
        own = sorted(
            point
            for point in counts
            if point.module == module and (counts[point] or not (point.line in elaborated or _is_constant(point)))
        )
        if own:
            covered: dict[Kind, int] = {"line": 0, "toggle": 0}
            points: dict[Kind, int] = {"line": 0, "toggle": 0}
            for point in own:
                points[point.kind] += 1
                covered[point.kind] += counts[point] > 0
            rows.append(Row(module, covered, points, [point for point in own if counts[point] == 0]))
    return rows


def measure(modules: Collection[str] = DATAPATH, *, slow: bool = False) -> list[Row]:
    """Run the benches of the modules, with `slow` also what only the nightly target runs, and give their table.

    Modules without a bench of their own are covered through those that hold them. Raises ConfigError for a module that
    does not exist, where none has a bench, and where a bench fails, with what pytest says.
    """
    benches = [str(found.bench) for name in sorted(modules) if (found := catalog.module(name)).bench]
    if not benches:
        raise ConfigError(f"coverage: expected a module with a bench, found {', '.join(sorted(modules))}; add one")
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="coverage-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *(["-m", "slow or not slow"] if slow else []), *benches],
            env={**os.environ, COVERAGE: str(Path(folder).absolute())},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ConfigError(
                f"coverage: expected benches that pass, found:\n{done.stdout[-2000:]}{done.stderr[-500:]}"
            )
        return table(merge(read(path) for path in sorted(Path(folder).glob("*.dat"))), modules)


def _is_constant(point: Point) -> bool:
    return point.kind == "toggle" and any(
        re.fullmatch(module, point.module) and re.fullmatch(signal, point.what) for module, signal, _ in CONSTANT
    )


def _elaborated(module: str, rtl: Path) -> set[int]:
    """Numbers of the lines of the module's functions in ELABORATED."""
    if module not in {name for name, _ in ELABORATED}:
        return set()
    text = (rtl / f"{module}.v").read_text()
    lines: set[int] = set()
    for match in _FUNCTION.finditer(text):
        if (module, match[1]) in ELABORATED:
            lines.update(range(text.count("\n", 0, match.start()) + 1, text.count("\n", 0, match.end()) + 2))
    return lines
