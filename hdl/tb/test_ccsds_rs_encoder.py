"""Bench of `ccsds_rs_encoder`: against the reference encoder and the check values of CCSDS 131.0-B-5.

The parity of 00..DE is printed by Karn's libfec for both bases; it holds for E = 16 and I = 1.
"""

import itertools

import cocotb
import numpy as np
import pytest
from cocotbext.axi import AxiStreamFrame

from flightsw.ccsds.coding import ReedSolomon
from hdl.tb.lengths import assert_wrong_lengths
from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_ccsds_rs_encoder"

PARITY_OF_00_TO_DE = {
    1: "4ffb92dd557ec67f27fb8982cf58f8fd028ad117fcef6b2793d0418826578651",
    0: "2fbd4fb4748494b9acd554627212eeb3ebed41191de1d36320ea49290b25abcf",
}


def _reference(dut) -> ReedSolomon:
    basis = "dual" if dut.DUAL_BASIS.value else "conventional"
    return ReedSolomon(int(dut.E.value), int(dut.INTERLEAVE.value), int(dut.FILL.value), basis)


def _frames(code: ReedSolomon, count: int) -> tuple[list[bytes], list[bytes]]:
    """Random frames and their codeblocks."""
    information = np.random.default_rng(1).integers(0, 256, (count, code.k), np.uint8)
    return [row.tobytes() for row in information], [row.tobytes() for row in code.encode(information)]


async def _start(dut) -> StreamBench:
    bench = StreamBench(dut)
    dut.enable.value = 1
    await bench.reset()
    bench.watch()
    return bench


@cocotb.test()
@cocotb.parametrize(idle=list(STALLS), back_pressure=list(STALLS))
async def frames(dut, idle: str, back_pressure: str) -> None:
    """Random frames through every pair of stall patterns."""
    bench = await _start(dut)
    bench.stall(idle, back_pressure)
    sent, expected = _frames(_reference(dut), 2)
    assert_frames(await bench.pass_frames(sent), expected)


@cocotb.test()
async def no_bubble(dut) -> None:
    """Codeblocks behind each other at full speed."""
    bench = await _start(dut)
    await assert_no_bubble(bench, *_frames(_reference(dut), 8))


@cocotb.test()
async def printed_parity(dut) -> None:
    """The parity of 00..DE, where it applies; a fill of n octets is the same word with n zeros ahead."""
    code = _reference(dut)
    bench = await _start(dut)
    if (code.e, code.interleave) != (16, 1):
        return
    word = bytes(range(223))
    if code.virtual_fill > 1:
        word = word[code.virtual_fill :]
        expected = [word + code.encode(np.frombuffer(word, np.uint8)[None])[0, code.k :].tobytes()]
    else:
        # 00 leads the word: without it, fill 1 gives the same parity
        word = word[code.virtual_fill :]
        expected = [word + bytes.fromhex(PARITY_OF_00_TO_DE[int(dut.DUAL_BASIS.value)])]
    assert_frames(await bench.pass_frames([word]), expected)


@cocotb.test()
@cocotb.parametrize(back_pressure=["none", "random"])
async def wrong_lengths(dut, back_pressure: str) -> None:
    """Frames too short and too long are flagged and not decodable; those behind them are clean."""
    code = _reference(dut)
    bench = await _start(dut)
    bench.stall("none", back_pressure)

    def check(frame: bytes) -> bytes:
        return code.encode(np.frombuffer(frame, np.uint8)[None])[0, code.k :].tobytes()

    await assert_wrong_lengths(bench, code.k, check)


@cocotb.test()
@cocotb.parametrize(cycles=[3, 5, 9, 40, 150])
async def reset_leaves_no_trace(dut, cycles: int) -> None:
    """A reset with a frame or its parity inside."""
    code = _reference(dut)
    bench = await _start(dut)
    sent, expected = _frames(code, 2)
    await reset_in_mid_frame(bench, sent[0], cycles)
    assert_frames(await bench.pass_frames(sent), expected)


@cocotb.test()
async def bypass(dut) -> None:
    """With `enable` low, frames of any length pass; the next enabled frame is coded."""
    bench = await _start(dut)
    sent, expected = _frames(_reference(dut), 1)
    others = [bytes(range(n)) for n in (1, 7, 8, 9, 200)]
    dut.enable.value = 0
    assert_frames(await bench.pass_frames(others), others)
    dut.enable.value = 1
    assert_frames(await bench.pass_frames(sent), expected)
    dut.enable.value = 0
    bench.source.send_nowait(AxiStreamFrame(others[3]))
    assert bytes((await bench.sink.recv()).tdata) == others[3]


#: Width, E, interleave, fill and basis; much fill makes frames short and the parity no shorter.
QUICK = [(64, 16, 8, 1600, 1), (64, 16, 5, 1000, 1), (16, 8, 3, 609, 0), (8, 16, 1, 1, 1)]


def _simulate(width: int, e: int, interleave: int, fill: int, dual_basis: int) -> None:
    parameters = {"DATA_WIDTH": width, "E": e, "INTERLEAVE": interleave, "FILL": fill, "DUAL_BASIS": dual_basis}
    simulate("ccsds_rs_encoder", BENCH, parameters)


@pytest.mark.parametrize(("width", "e", "interleave", "fill", "dual_basis"), QUICK)
def test_frames(width: int, e: int, interleave: int, fill: int, dual_basis: int) -> None:
    _simulate(width, e, interleave, fill, dual_basis)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "e", "interleave", "turns", "dual_basis"),
    list(itertools.product((8, 16, 32, 64), (16, 8), (1, 2, 3, 4, 5, 8), (0, 1, 201), (1, 0))),
)
def test_every_configuration(width: int, e: int, interleave: int, turns: int, dual_basis: int) -> None:
    _simulate(width, e, interleave, turns * interleave, dual_basis)
