"""Lint of the whole RTL: no finding. That a fault is found shows that the tools look."""

from pathlib import Path

import pytest

from flightsw.errors import ConfigError
from hdl import lint

#: An input that nobody reads, a net that nobody drives.
FAULTY = """\
`default_nettype none
module faulty (
    input  wire a,
    input  wire unread,
    output wire y
);
  wire undriven;
  assign y = a & undriven;
endmodule
`default_nettype wire
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    (tmp_path / "faulty.v").write_text(FAULTY)
    return tmp_path


def _lines(findings: list[lint.Finding]) -> str:
    return "\n".join(map(str, findings))


def test_verilator_has_nothing_to_say_about_the_designs() -> None:
    # these two hold every other module
    findings = lint.verilator("ccsds_tm_encoder") + lint.verilator("board_core")
    assert not findings, _lines(findings)


@pytest.mark.slow
def test_verilator_has_nothing_to_say() -> None:
    findings = lint.verilator()
    assert not findings, _lines(findings)


def test_verilator_finds_a_fault(faulty: Path) -> None:
    text = _lines(lint.verilator(rtl=faulty))
    assert "UNUSEDSIGNAL" in text
    assert "'unread'" in text
    assert "UNDRIVEN" in text


def test_yosys_finds_a_fault(faulty: Path) -> None:
    text = _lines(lint.yosys("faulty", {}, faulty))
    assert "used but has no driver" in text
    assert "undriven" in text


def test_yosys_has_nothing_to_say_about_the_narrow_encoder() -> None:
    findings = lint.yosys("ccsds_tm_encoder", {"CODE": 0, "DATA_WIDTH": 8})
    assert not findings, _lines(findings)


@pytest.mark.slow
@pytest.mark.parametrize("design", list(lint.DESIGNS))
def test_yosys_has_nothing_to_say(design: str) -> None:
    findings = lint.yosys(design)
    assert not findings, _lines(findings)


def test_a_module_that_does_not_exist_is_an_error_which_lists_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"axis_append.*word_fifo; found 'axis_nothing'"):
        lint.lint("axis_nothing")
