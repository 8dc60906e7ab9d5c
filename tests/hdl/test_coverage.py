"""Coverage from files written by hand, in the format of Verilator's runtime."""

import re
from pathlib import Path

import pytest

from flightsw.errors import ConfigError
from hdl import coverage
from hdl.coverage import Point

HEAD = "# SystemC::Coverage-3"


def _line(module: str, line: int, kind: str, what: str, count: int) -> str:
    fields = {
        "f": f"/rtl/{module}.v",
        "l": line,
        "n": 5,
        "t": kind,
        "page": f"v_{kind}/{module}",
        "o": what,
        "h": "top",
    }
    return "C '" + "".join(f"\1{key}\2{value}" for key, value in fields.items()) + f"' {count}"


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """A narrow and a wide run: the narrow one alone saw the branch, the wide one has a bit more."""
    narrow = [_line("axis_a", 7, "branch", "if", 3), _line("axis_a", 7, "branch", "else", 0)]
    narrow += [_line("axis_a", 2, "toggle", "data[0]:0->1", 4), _line("axis_b", 9, "line", "block", 1)]
    wide = [_line("axis_a", 7, "branch", "if", 0), _line("axis_a", 2, "toggle", "data[0]:0->1", 1)]
    wide += [_line("axis_a", 2, "toggle", "data[1]:0->1", 0), _line("axis_a", 2, "toggle", "tkeep[0]:1->0", 0)]
    paths = [tmp_path / "narrow.dat", tmp_path / "wide.dat"]
    for path, lines in zip(paths, (narrow, wide), strict=True):
        path.write_text("\n".join([HEAD, *lines, ""]))
    return paths


def test_counts_of_runs_add_up(runs: list[Path]) -> None:
    counts = coverage.merge(map(coverage.read, runs))
    assert counts[Point("axis_a", 2, 5, "toggle", "data[0]:0->1")] == 5
    assert counts[Point("axis_a", 7, 5, "line", "if")] == 3
    assert len(counts) == 6


def test_table_has_percents_and_what_is_missing(runs: list[Path]) -> None:
    a, b = coverage.table(coverage.merge(map(coverage.read, runs)), ["axis_b", "axis_a", "axis_c"])
    assert (a.module, a.percent("line"), a.percent("toggle")) == ("axis_a", 50.0, 50.0)
    assert [str(point) for point in a.uncovered] == [
        "axis_a.v:2: toggle data[1]:0->1",
        "axis_a.v:7: line else",
    ]
    assert not a.reaches()
    assert (b.module, b.percent("line"), b.percent("toggle"), b.uncovered) == ("axis_b", 100.0, 100.0, [])
    assert b.reaches()


def test_functions_of_elaboration_are_not_counted() -> None:
    source = (coverage.RTL / "sequence_word.v").read_text().splitlines()
    inside = next(number for number, line in enumerate(source, 1) if "function" in line and "power" in line)
    outside = next(number for number, line in enumerate(source, 1) if "if (restart)" in line)
    counts = {Point("sequence_word", line, 5, "line", "block"): 0 for line in (inside, inside + 3, outside)}
    assert [point.line for row in coverage.table(counts) for point in row.uncovered] == [outside]


def test_only_constants_call_functions_of_elaboration() -> None:
    for module in {module for module, _ in coverage.ELABORATED}:
        names = "|".join(sorted(function for of, function in coverage.ELABORATED if of == module))
        text = (coverage.RTL / f"{module}.v").read_text()
        # what they call among themselves is evaluated with them
        text, bodies = re.subn(rf"\bfunction [^;]*\b({names});.*?\bendfunction\b", "", text, flags=re.DOTALL)
        assert bodies == names.count("|") + 1
        assert re.search(rf"\b({names})\(", text)
        assert not re.search(rf"\b({names})\(", re.sub(r"\blocalparam\b[^;]*;", "", text))


@pytest.mark.parametrize(
    ("what", "counts"),
    [
        ("tkeep[0]:1->0", False),
        ("tkeep[3][0]:1->0", False),
        ("tkeep[3][0]:0->1", True),
        ("tkeep[0][1]:1->0", True),
        ("tdata[3][0]:1->0", True),
    ],
)
def test_the_fall_of_lane_0_is_not_counted_in_any_stream(what: str, counts: bool) -> None:
    other = Point("axis_a", 1, 5, "toggle", "valid:0->1")
    (row,) = coverage.table({Point("axis_a", 2, 5, "toggle", what): 0, other: 1}, ["axis_a"])
    assert [point.what for point in row.uncovered] == [what] * counts


@pytest.mark.parametrize("text", ["", "TN:\n", f"{HEAD}\nC nothing\n", f"{HEAD}\nC '\1f\2a.v' 3\n"])
def test_another_kind_of_file_is_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "coverage.dat"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"coverage\.dat.*expected.*found.*measure again"):
        coverage.read(path)


def test_modules_without_a_bench_cannot_be_measured() -> None:
    with pytest.raises(ConfigError, match="expected a module with a bench, found axis_append"):
        coverage.measure(["axis_append"])
