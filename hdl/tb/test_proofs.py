"""The proofs of `hdl/formal`: a cross-section here, all of them in the nightly target, and that they can fail."""

import shutil
from pathlib import Path

import pytest

from flightsw.errors import ConfigError
from hdl.proofs import proofs, prove
from hdl.toolchain import RTL

QUICK = [
    "axis_append:octets_1",
    "axis_fifo:octets_1",
    "axis_register:octets_1",
    "ccsds_randomizer:octets_1",
    "ccsds_rs_step:e_16",
    "ccsds_sync_marker_insert:octets_1",
]

#: A fault in a module, and a proof that must find it.
FAULTS = [
    ("axis_append", "dropping <= last_data && !s_axis_tlast;", "dropping <= 1'b0;", "axis_append:octets_1"),
    ("axis_append", "c_wrong <= b_wrong;", "c_wrong <= 1'b0;", "axis_append:octets_1"),
    ("axis_fifo", "level != FULL - 1'b1", "level != FULL", "axis_fifo:octets_1"),
    (
        "axis_register",
        "wire leaves = m_axis_tready || !m_axis_tvalid;",
        "wire leaves = 1'b1;",
        "axis_register:octets_1",
    ),
    (
        "axis_width_converter",
        "m_axis_tlast  = ends && final_beat",
        "m_axis_tlast  = ends",
        "axis_width_converter_narrower:from_2_to_1",
    ),
    (
        "axis_width_converter",
        "take && (place[RATIO-1] || s_axis_tlast)",
        "take && place[RATIO-1]",
        "axis_width_converter_wider:from_1_to_2",
    ),
    ("ccsds_randomizer", "(17'h04001)", "(17'h04003)", "ccsds_randomizer:octets_1"),
    ("ccsds_randomizer", "step && s_axis_tlast", "step && s_axis_tlast && m_axis_tvalid", "ccsds_randomizer:octets_1"),
    (
        "ccsds_sync_marker",
        "!tail && s_axis_tvalid && s_axis_tlast && overflow",
        "1'b0",
        "ccsds_sync_marker_shift:octets_8",
    ),
    ("systematic_check", "load ? octets ^ front", "load ? octets", "ccsds_rs_step:e_8_conventional"),
]
QUICK_FAULTS = FAULTS[:4]


def faulty(folder: Path, module: str, right: str, wrong: str) -> Path:
    rtl = folder / "rtl"
    shutil.copytree(RTL, rtl)
    source = rtl / f"{module}.v"
    text = source.read_text()
    assert right in text, f"{module}: expected {right!r}, which this test replaces"
    source.write_text(text.replace(right, wrong))
    return rtl


@pytest.mark.parametrize("name", QUICK)
def test_proof(name: str) -> None:
    assert {name: str(verdict) for name, verdict in prove([name])} == {name: "PASS"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in proofs() if name not in QUICK])
def test_every_proof(name: str) -> None:
    assert {name: str(verdict) for name, verdict in prove([name])} == {name: "PASS"}


@pytest.mark.parametrize(("module", "right", "wrong", "proof"), QUICK_FAULTS)
def test_fault(tmp_path: Path, module: str, right: str, wrong: str, proof: str) -> None:
    """A fault gives a trace from reset or, where that is longer than the proof, an induction that does not close."""
    ((_, verdict),) = prove([proof], faulty(tmp_path, module, right, wrong))
    assert verdict.status in ("FAIL", "UNKNOWN")


@pytest.mark.slow
@pytest.mark.parametrize(("module", "right", "wrong", "proof"), FAULTS[4:])
def test_every_fault(tmp_path: Path, module: str, right: str, wrong: str, proof: str) -> None:
    ((_, verdict),) = prove([proof], faulty(tmp_path, module, right, wrong))
    assert verdict.status in ("FAIL", "UNKNOWN")


def test_an_unknown_proof_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected NAME or NAME:TASK, one of axis_append:octets_1"):
        list(prove(["axis_nothing"]))
