"""Bench of `ccsds_rs_encoder`: against the reference encoder and the check values of CCSDS 131.0-B-5."""

import itertools

import cocotb
import numpy as np
import pytest

from flightsw.ccsds.coding import ReedSolomon
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_ccsds_rs_encoder"


def _reference(dut) -> ReedSolomon:
    basis = "dual" if dut.DUAL_BASIS.value else "conventional"
    return ReedSolomon(int(dut.E.value), int(dut.INTERLEAVE.value), int(dut.FILL.value), basis)


@cocotb.test()
@cocotb.parametrize(idle=list(STALLS), back_pressure=list(STALLS))
async def frames(dut, idle: str, back_pressure: str) -> None:
    """Random frames through every pair of stall patterns."""
    bench = StreamBench(dut)
    dut.enable.value = 1
    await bench.reset()
    bench.watch()
    bench.stall(idle, back_pressure)
    code = _reference(dut)
    information = np.random.default_rng(1).integers(0, 256, (3, code.k), np.uint8)
    expected = [row.tobytes() for row in code.encode(information)]
    assert_frames(await bench.pass_frames(row.tobytes() for row in information), expected)


@pytest.mark.parametrize(("width", "interleave"), list(itertools.product((8, 64), (1, 5))))
def test_frames(width: int, interleave: int) -> None:
    simulate("ccsds_rs_encoder", BENCH, {"DATA_WIDTH": width, "INTERLEAVE": interleave})
