"""Bench of `ccsds_ldpc_c2_encoder`: against the reference encoder, and the parity checks of CCSDS 131.0-B-5, 7.3."""

import itertools
import os

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamFrame

from flightsw.ccsds.coding import LdpcC2
from hdl import ldpc_tables
from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame, set_for_each_frame, watch_packing
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_ccsds_ldpc_c2_encoder"
CODE = LdpcC2()
OCTETS = 892
PARITY_BITS = 1022
SIZE = 511

#: Table 7-1: the ones in the first rows of the circulants, typed here once more, not taken from the encoders.
CIRCULANTS = (
    "0,176 12,239 0,352 24,431 0,392 151,409 0,351 9,359 0,307 53,329 0,207 18,281 0,399 202,457 0,247 36,261",
    "99,471 130,473 198,435 260,478 215,420 282,481 48,396 193,445 273,430 302,451 96,379 191,386 244,467 364,470 "
    "51,382 192,414",
)

#: How much is run: frames and unit vectors of the long tests, and the stall patterns that are crossed.
FRAMES = int(os.environ.get("FRAMES", "24"))
UNITS = int(os.environ.get("UNITS", "29"))
PATTERNS = os.environ.get("PATTERNS", ",".join(STALLS)).split(",")


def assert_parity_checks(codeblocks: list[bytes]) -> None:
    """Each of the 1022 checks of H must hold for each codeblock, and the last two bits be zero."""
    bits = np.unpackbits(np.frombuffer(b"".join(codeblocks), np.uint8)).reshape(len(codeblocks), -1)
    assert not bits[:, -2:].any(), "the two bits behind the parity: expected zeros"
    bits = np.pad(bits, ((0, 0), (18, 0)))[:, :-2].reshape(len(codeblocks), 16, SIZE)
    for row, circulants in enumerate(CIRCULANTS):
        syndrome = np.zeros((len(codeblocks), SIZE), np.uint8)
        for block, places in enumerate(circulants.split()):
            for place in map(int, places.split(",")):
                syndrome ^= np.roll(bits[:, block], -place, axis=1)
        assert not syndrome.any(), f"row {row} of H: checks fail in codeblocks {np.flatnonzero(syndrome.any(axis=1))}"


def encode(frames: list[bytes]) -> list[bytes]:
    """Codeblocks by the reference encoder."""
    information = np.frombuffer(b"".join(frames), np.uint8).reshape(-1, OCTETS)
    return [row.tobytes() for row in CODE.encode(information)]


def random_frames(count: int, seed: int = 1) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [rng.bytes(OCTETS) for _ in range(count)]


def encode_wrong_length(frame: bytes) -> bytes:
    """Filled or cut, with the parity bits inverted, the two bits behind them not."""
    codeblock = encode([frame[:OCTETS].ljust(OCTETS, b"\0")])[0]
    parity = int.from_bytes(codeblock[OCTETS:]) ^ (1 << PARITY_BITS) - 1 << 2
    return codeblock[:OCTETS] + parity.to_bytes(128)


async def _start(dut) -> StreamBench:
    bench = StreamBench(dut)
    dut.enable.value = 1
    await bench.reset()
    bench.watch()
    return bench


@cocotb.test()
@cocotb.parametrize(idle=PATTERNS, back_pressure=PATTERNS)
async def frames(dut, idle: str, back_pressure: str) -> None:
    """Random frames through every pair of stall patterns."""
    bench = await _start(dut)
    bench.stall(idle, back_pressure)
    sent = random_frames(2)
    assert_frames(await bench.pass_frames(sent), encode(sent))


@cocotb.test()
async def no_bubble(dut) -> None:
    """Codeblocks behind each other at full speed: the first ones find the FIFO empty, the last ones find it full."""
    bench = await _start(dut)
    sent = random_frames(FRAMES, seed=2)
    await assert_no_bubble(bench, sent, encode(sent))


@cocotb.test()
async def steady_source(dut) -> None:
    """A source that sends as many frames as can leave never finds the FIFO full, and the output has no bubble."""
    bench = await _start(dut)
    sent = random_frames(8, seed=3)
    lanes = len(dut.m_axis_tkeep)
    beats, period = -(-OCTETS // lanes), -(-1020 // lanes)
    bench.source.set_pause_generator(itertools.cycle([True] * (period - beats) + [False] * beats))
    await assert_no_bubble(bench, sent, encode(sent))


@cocotb.test()
async def parity_checks(dut) -> None:
    """H c = 0, as the standard has H."""
    bench = await _start(dut)
    cocotb.start_soon(watch_packing(dut))
    assert_parity_checks(await bench.pass_frames(random_frames(FRAMES, seed=4)))


@cocotb.test()
async def unit_vectors(dut) -> None:
    """Single bits: the rows of the generator matrix, those at the ends of the blocks among them."""
    bench = await _start(dut)
    ends = [SIZE * block - 18 + side for block in range(1, 14) for side in (-1, 0)]
    places = np.array([0, *ends, 8 * OCTETS - 1])
    others = np.setdiff1d(np.arange(8 * OCTETS), places)
    count = max(0, min(UNITS - len(places), len(others)))
    rng = np.random.default_rng(5)
    places = rng.permutation(np.concatenate([places, rng.choice(others, count, replace=False)]))[:UNITS]
    information = np.zeros((len(places), 8 * OCTETS), np.uint8)
    information[np.arange(len(places)), places] = 1
    sent = [row.tobytes() for row in np.packbits(information, axis=1)]
    found = await bench.pass_frames(sent)
    assert_parity_checks(found)
    assert_frames(found, encode(sent))


@cocotb.test()
@cocotb.parametrize(back_pressure=["none", "random"])
async def wrong_lengths(dut, back_pressure: str) -> None:
    """Frames too short and too long are flagged and not decodable; those behind them are clean."""
    bench = await _start(dut)
    bench.stall("none", back_pressure)
    errors = 0

    async def count() -> None:
        nonlocal errors
        while True:
            await RisingEdge(dut.clk)
            errors += int(dut.length_error.value)

    cocotb.start_soon(count())
    rng = np.random.default_rng(6)
    lengths = [OCTETS, 1, OCTETS, OCTETS - 1, OCTETS + 1, OCTETS + 4, OCTETS, 500, 2 * OCTETS + 3, OCTETS]
    sent = [rng.bytes(length) for length in lengths]
    expected = [encode([frame])[0] if len(frame) == OCTETS else encode_wrong_length(frame) for frame in sent]
    assert_frames(await bench.pass_frames(sent), expected)
    wrong = sum(length != OCTETS for length in lengths)
    assert errors == wrong, f"length_error: expected {wrong} cycles, found {errors}"


@cocotb.test()
@cocotb.parametrize(
    (
        ("octets", "of_frame"),
        [(OCTETS, time) for time in (0.05, 0.5, 0.88, 0.95, 1.02, 1.2, 1.45, 1.5, 1.65, 1.7, 2.1)]
        + [(8, 0.05), (8, 0.5), (5000, 1.2)],
    )
)
async def reset_leaves_no_trace(dut, octets: int, of_frame: float) -> None:
    """A reset after so many frames' time: with a frame, a syndrome or parity inside, or while a frame is filled or cut.

    The frames after it come with gaps, so that none of them leaves before its own parity is there.
    """
    bench = await _start(dut)
    sent = random_frames(2, seed=7)
    inside = np.random.default_rng(9).bytes(octets)
    await reset_in_mid_frame(bench, inside, int(of_frame * 1020 / len(dut.m_axis_tkeep)))
    bench.stall("random", "none")
    assert_frames(await bench.pass_frames(sent[::-1]), encode(sent[::-1]))


@cocotb.test()
@cocotb.parametrize(idle=["none", "random"], back_pressure=["none", "random"])
async def bypass(dut, idle: str, back_pressure: str) -> None:
    """Frames that `enable` lets pass as they are, of any length, between others; it counts at the first beat only."""
    bench = await _start(dut)
    bench.stall(idle, back_pressure)
    rng = np.random.default_rng(8)
    lengths = [1, OCTETS, 7, 8, 9, OCTETS, OCTETS, 200, OCTETS, OCTETS, OCTETS, 3, OCTETS, 1020]
    enables = [0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0]
    sent = [rng.bytes(length) for length in lengths]
    expected = [encode([frame])[0] if enable else frame for frame, enable in zip(sent, enables, strict=True)]
    cocotb.start_soon(set_for_each_frame(dut, "enable", enables, [1 - enable for enable in enables]))
    assert_frames(await bench.pass_frames(sent), expected)


@cocotb.test()
async def passes_at_once(dut) -> None:
    """A frame that is not encoded waits for none behind it; nor does the end of a codeblock."""
    bench = await _start(dut)
    dut.enable.value = 0
    bench.source.send_nowait(AxiStreamFrame(b"alone"))
    assert bytes((await bench.sink.recv()).tdata) == b"alone"
    dut.enable.value = 1
    for frame in random_frames(2):
        assert_frames(await bench.pass_frames([frame]), encode([frame]))


def test_tables_are_in_step() -> None:
    for path, text in ldpc_tables.files().items():
        assert path.read_text() == text, f"{path}: python -m hdl.ldpc_tables"


def test_tables_make_the_generator() -> None:
    assert np.array_equal(ldpc_tables.generator_of_tables(), CODE.generator)


#: Eight times as many cycles a frame want fewer frames.
QUICK: dict[int, dict[str, str]] = {64: {}, 8: {"FRAMES": "4", "UNITS": "4", "PATTERNS": "none,random"}}


@pytest.mark.parametrize("width", [64, 8])
def test_frames(width: int) -> None:
    simulate("ccsds_ldpc_c2_encoder", BENCH, {"DATA_WIDTH": width}, QUICK[width])


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_many_frames(width: int) -> None:
    units = 8 * OCTETS if width == 64 else 200
    simulate("ccsds_ldpc_c2_encoder", BENCH, {"DATA_WIDTH": width}, {"FRAMES": "400", "UNITS": str(units)})
