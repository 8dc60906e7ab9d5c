"""Bench of `ccsds_tm_encoder`, the chain: against the reference coders one after the other, settings over APB."""

import itertools
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiStreamFrame

from flightsw.ccsds.coding import LdpcC2
from hdl.registers import CONTROL_AT_RESET, RANDOMIZERS, RATES, Register
from hdl.tb.apb import Apb
from hdl.tb.reference import AT_RESET, Reference, Settings
from hdl.tb.rules import assert_no_bubble, reset_in_mid_frame, watch_packing
from hdl.tb.simulation import simulate
from hdl.tb.stream import STALLS, StreamBench, assert_frames

BENCH = "hdl.tb.test_ccsds_tm_encoder"


class Chain:
    """The device under test, its bus, its streams, and the reference."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.apb = Apb(dut)
        self.stream = StreamBench(dut)
        names = ("CODE", "E", "INTERLEAVE", "FILL", "DUAL_BASIS")
        self.reference = Reference({name: int(dut[name].value) for name in names})
        self.code = self.reference.code
        self.rng = np.random.default_rng(1)

    async def start(self) -> None:
        """Clock, reset and watchers."""
        await self.stream.reset()
        self.stream.watch()
        cocotb.start_soon(watch_packing(self.dut))

    def frame(self, settings: Settings) -> bytes:
        """A random frame."""
        return self.rng.bytes(self.reference.length(settings))

    def expected(self, frame: bytes, settings: Settings) -> bytes:
        """What comes out for a frame, of whatever length it is."""
        return self.reference.line(np.frombuffer(frame, np.uint8)[None], settings).tobytes()

    async def set(self, settings: Settings) -> None:
        """Write CONTROL."""
        assert not await self.apb.write(Register.CONTROL, settings.word)

    async def counts(self) -> dict[str, int]:
        """What the counters say, when the chain is empty."""
        for _ in range(1000):
            if not await self.apb.read(Register.STATUS) & 2:
                break
        else:
            raise AssertionError("STATUS: expected that the chain gets empty, found it busy")
        return {r.name: await self.apb.read(r) for r in Register if r >= Register.FRAMES_IN}


async def _start(dut: Any) -> Chain:
    chain = Chain(dut)
    await chain.start()
    return chain


def _every_setting(dut: Any) -> list[Settings]:
    rates = list(RATES) if dut.CONVOLUTIONAL.value else ["none"]
    every = itertools.product((False, True), (False, True), RANDOMIZERS, (False, True), rates)
    return [Settings(*values) for values in every]


@cocotb.test()
async def at_reset(dut: Any) -> None:
    """What the registers say of the parameters, and the settings that the chain starts with."""
    chain = await _start(dut)
    lanes = int(dut.DATA_WIDTH.value) // 8
    if isinstance(chain.code, LdpcC2):
        capabilities = lanes | 1 << 25
    else:
        dual = chain.code.basis == "dual"
        capabilities = lanes | chain.code.e << 8 | chain.code.interleave << 16 | dual << 24
    capabilities |= int(dut.CONVOLUTIONAL.value) << 26
    assert await chain.apb.read(Register.CAPABILITIES) == capabilities
    assert await chain.apb.read(Register.FRAME_OCTETS) == chain.code.k
    assert await chain.apb.read(Register.CODEBLOCK_OCTETS) == chain.code.n_out
    assert await chain.apb.read(Register.CONTROL) == AT_RESET.word == CONTROL_AT_RESET == 0x1B
    sent = [chain.frame(AT_RESET) for _ in range(2)]
    assert_frames(await chain.stream.pass_frames(sent), [chain.expected(frame, AT_RESET) for frame in sent])


@cocotb.test()
async def every_setting(dut: Any) -> None:
    """Every combination of the settings, one after the other."""
    chain = await _start(dut)
    chain.stream.stall("random", "random")
    for settings in _every_setting(dut):
        await chain.set(settings)
        sent = [chain.frame(settings) for _ in range(2)]
        expected = [chain.expected(frame, settings) for frame in sent]
        assert_frames(await chain.stream.pass_frames(sent), expected)
    assert await chain.apb.read(Register.LENGTH_ERRORS) == 0


@cocotb.test()
@cocotb.parametrize(idle=list(STALLS), back_pressure=list(STALLS))
async def stalls(dut: Any, idle: str, back_pressure: str) -> None:
    """All stages at work under every pair of stall patterns."""
    chain = await _start(dut)
    chain.stream.stall(idle, back_pressure)
    sent = [chain.frame(AT_RESET) for _ in range(2)]
    assert_frames(await chain.stream.pass_frames(sent), [chain.expected(frame, AT_RESET) for frame in sent])


@cocotb.test()
@cocotb.parametrize(back_pressure=["none", "random"])
async def settings_while_frames_are_inside(dut: Any, back_pressure: str) -> None:
    """A frame has the settings that were written last before its first beat was taken, wherever the others are."""
    chain = await _start(dut)
    chain.stream.stall("none", back_pressure)
    # the length of a frame depends on the CRC, so it stays on; the rest changes
    choices = [settings for settings in _every_setting(dut) if settings.crc]
    chain.rng.shuffle(choices)
    sent = [chain.frame(AT_RESET) for _ in range(24)]
    begun: list[float] = []
    written: list[tuple[float, Settings]] = [(0.0, AT_RESET)]

    async def watch() -> None:
        inside = False
        while True:
            await RisingEdge(dut.clk)
            if dut.s_axis_tvalid.value and dut.s_axis_tready.value:
                if not inside:
                    begun.append(get_sim_time("ns"))
                inside = not dut.s_axis_tlast.value

    async def change() -> None:
        for settings in choices[:12]:
            for _ in range(int(chain.rng.integers(1, 3 * chain.code.n_out // (int(dut.DATA_WIDTH.value) // 8)))):
                await FallingEdge(dut.clk)
            await chain.set(settings)
            written.append((get_sim_time("ns"), settings))

    cocotb.start_soon(watch())
    changes = cocotb.start_soon(change())
    found = await chain.stream.pass_frames(sent)
    changes.cancel()
    of_frames = [[settings for time, settings in written if time < begin][-1] for begin in begun]
    assert len(set(of_frames)) > 3, "expected that the settings change while frames come"
    assert_frames(found, [chain.expected(*pair) for pair in zip(sent, of_frames, strict=True)])


@cocotb.test()
async def settings_hold_from_the_next_beat_on(dut: Any) -> None:
    """A frame that is offered in the very cycle after the write has the new settings."""
    chain = await _start(dut)
    for settings in (Settings(randomizer="255"), Settings(marker=False), Settings(randomizer="none"), AT_RESET):
        frame = chain.frame(settings)
        await chain.set(settings)
        chain.stream.source.send_nowait(AxiStreamFrame(frame))
        assert_frames(
            [bytes((await with_timeout(chain.stream.sink.recv(), 100, "us")).tdata)], [chain.expected(frame, settings)]
        )


@cocotb.test()
@cocotb.parametrize(crc=[True, False], back_pressure=["none", "random"])
async def wrong_lengths(dut: Any, crc: bool, back_pressure: str) -> None:
    """Frames too short and too long are counted and spoilt, those between them are clean."""
    chain = await _start(dut)
    chain.stream.stall("none", back_pressure)
    settings = Settings(crc=crc)
    await chain.set(settings)
    length = chain.reference.length(settings)
    lengths = [length, 1, length, length - 1, length + 1, length + 1, length, length // 2, 2 * length + 3, length]
    sent = [chain.rng.bytes(max(n, 1)) for n in lengths]
    assert_frames(await chain.stream.pass_frames(sent), [chain.expected(frame, settings) for frame in sent])
    wrong = sum(len(frame) != length for frame in sent)
    assert (await chain.counts())["LENGTH_ERRORS"] == wrong
    assert await chain.apb.read(Register.STATUS) == 1
    await chain.apb.write(Register.STATUS, 1)
    assert await chain.apb.read(Register.STATUS) == 0
    assert_frames(await chain.stream.pass_frames(sent[:1]), [chain.expected(sent[0], settings)])
    assert await chain.apb.read(Register.STATUS) == 0
    assert await chain.apb.read(Register.LENGTH_ERRORS) == wrong


@cocotb.test()
@cocotb.parametrize(idle=["none", "random"], back_pressure=["none", "random"])
async def any_length_where_none_is_checked(dut: Any, idle: str, back_pressure: str) -> None:
    """With neither CRC nor block code, frames that end in any lane pass as they are, and are no error."""
    chain = await _start(dut)
    chain.stream.stall(idle, back_pressure)
    settings = Settings(crc=False, code=False)
    await chain.set(settings)
    sent = [chain.rng.bytes(length) for length in range(1, 2 * int(dut.DATA_WIDTH.value) // 8 + 2)]
    assert_frames(await chain.stream.pass_frames(sent), [chain.expected(frame, settings) for frame in sent])
    assert await chain.apb.read(Register.LENGTH_ERRORS) == 0


@cocotb.test()
async def at_most_255_frames_inside(dut: Any) -> None:
    """The gate counts frames in 8 bits: it holds back the one after the 255th, and none is lost."""
    chain = await _start(dut)
    settings = Settings(crc=False, code=False)
    await chain.set(settings)
    await ClockCycles(dut.clk, 4)
    # only the FIFO of LDPC has room for so many; elsewhere, most of them are in the count only
    counted = 0 if isinstance(chain.code, LdpcC2) and int(dut.DATA_WIDTH.value) < 64 else 253
    dut.inside.value = counted
    chain.stream.sink.pause = True
    sent = [chain.rng.bytes(1) for _ in range(300)]
    passed = cocotb.start_soon(chain.stream.pass_frames(sent))
    await ClockCycles(dut.clk, 400)
    assert await chain.apb.read(Register.FRAMES_IN) == 255 - counted
    chain.stream.sink.pause = False
    assert_frames(await passed, [chain.expected(frame, settings) for frame in sent])


@cocotb.test()
async def bus(dut: Any) -> None:
    """Every bit of the bus arrives at the registers: of data both ways, and of the address."""
    chain = await _start(dut)
    for bit in range(32):
        dut.registers.frames_in.value = 1 << bit
        assert await chain.apb.read(Register.FRAMES_IN) == 1 << bit
        value = 1 << bit | AT_RESET.word
        assert not await chain.apb.write(Register.CONTROL, value)
        assert await chain.apb.read(Register.CONTROL) == value & 0xFF
    for bit in range(8):
        address = Register.CONTROL ^ 1 << bit
        assert await chain.apb.read_error(address) == (address not in list(Register)), f"read of 0x{address:02X}"


@cocotb.test()
@cocotb.parametrize(idle=["none", "random"], back_pressure=["none", "random"])
async def counters(dut: Any, idle: str, back_pressure: str) -> None:
    """Frames, octets and stalls, as the pins show them."""
    chain = await _start(dut)
    chain.stream.stall(idle, back_pressure)
    seen = dict.fromkeys(("FRAMES_IN", "FRAMES_OUT", "OCTETS_IN", "OCTETS_OUT", "INPUT_STALLS", "OUTPUT_STALLS"), 0)

    async def watch(stream: str, side: str, stalls: str) -> None:
        pins = [dut[f"{stream}_{name}"] for name in ("tvalid", "tready", "tlast", "tkeep")]
        while True:
            await RisingEdge(dut.clk)
            valid, ready, last, keep = (int(pin.value) for pin in pins)
            seen[stalls] += valid and not ready
            if valid and ready:
                seen[f"FRAMES_{side}"] += last
                seen[f"OCTETS_{side}"] += keep.bit_count()

    cocotb.start_soon(watch("s_axis", "IN", "INPUT_STALLS"))
    cocotb.start_soon(watch("m_axis", "OUT", "OUTPUT_STALLS"))
    sent = [chain.frame(AT_RESET) for _ in range(3)]
    expected = [chain.expected(frame, AT_RESET) for frame in sent]
    assert_frames(await chain.stream.pass_frames(sent), expected)
    counts = await chain.counts()
    assert counts == seen | {"LENGTH_ERRORS": 0}
    assert (counts["FRAMES_IN"], counts["OCTETS_IN"]) == (3, sum(map(len, sent)))
    assert (counts["FRAMES_OUT"], counts["OCTETS_OUT"]) == (3, sum(map(len, expected)))


@cocotb.test()
async def busy(dut: Any) -> None:
    """STATUS says busy from the first beat in to the last beat out, and while settings wait."""
    chain = await _start(dut)
    chain.stream.sink.pause = True
    chain.stream.source.send_nowait(AxiStreamFrame(chain.frame(AT_RESET)))
    for _ in range(20):
        await FallingEdge(dut.clk)
    assert await chain.apb.read(Register.STATUS) == 2
    await chain.set(Settings(randomizer="255"))
    chain.stream.source.send_nowait(AxiStreamFrame(chain.frame(AT_RESET)))
    chain.stream.sink.pause = False
    await with_timeout(chain.stream.sink.recv(), 200, "us")
    await with_timeout(chain.stream.sink.recv(), 200, "us")
    for _ in range(4):
        await FallingEdge(dut.clk)
    assert await chain.apb.read(Register.STATUS) == 0


@cocotb.test()
async def no_bubble(dut: Any) -> None:
    """Frames behind each other at full speed: a beat in every cycle once the pipe is full."""
    chain = await _start(dut)
    sent = [chain.frame(AT_RESET) for _ in range(8)]
    await assert_no_bubble(chain.stream, sent, [chain.expected(frame, AT_RESET) for frame in sent])


@cocotb.test()
async def latency(dut: Any) -> None:
    """From the first beat of a frame taken to the first beat of the marker on offer."""
    chain = await _start(dut)
    chain.stream.source.send_nowait(AxiStreamFrame(chain.frame(AT_RESET)))
    cycles, taken = 0, False
    while not (taken and dut.m_axis_tvalid.value):
        await RisingEdge(dut.clk)
        cycles += taken
        taken = taken or bool(dut.s_axis_tvalid.value and dut.s_axis_tready.value)
    if not dut.CODE.value:
        assert cycles == 12 + 4 * int(dut.CONVOLUTIONAL.value)
    await chain.stream.sink.recv()


@cocotb.test()
@cocotb.parametrize(cycles=[3, 9, 15, 40, 150])
async def reset_leaves_no_trace(dut: Any, cycles: int) -> None:
    """A reset with frames inside and other settings; then all is as after any reset, and frames are clean."""
    chain = await _start(dut)
    await chain.set(Settings(crc=False, randomizer="255"))
    await reset_in_mid_frame(chain.stream, chain.frame(AT_RESET), cycles)
    sent = [chain.frame(AT_RESET) for _ in range(2)]
    assert_frames(await chain.stream.pass_frames(sent), [chain.expected(frame, AT_RESET) for frame in sent])
    counts = await chain.counts()
    assert (counts["FRAMES_IN"], counts["FRAMES_OUT"], counts["LENGTH_ERRORS"]) == (2, 2, 0)


#: Frames are short where the fill is large, so that many fit into the time.
QUICK = [
    {"DATA_WIDTH": 64, "INTERLEAVE": 8, "FILL": 1600},
    {"DATA_WIDTH": 8, "INTERLEAVE": 1, "FILL": 190, "CONVOLUTIONAL": 1},
]
FULL = [
    *({"DATA_WIDTH": width, "E": 8, "INTERLEAVE": 3, "FILL": 600, "DUAL_BASIS": 0} for width in (8, 16, 32, 64)),
    *({"DATA_WIDTH": width, "INTERLEAVE": 5, "FILL": 0} for width in (8, 16, 32, 64)),
    *({"DATA_WIDTH": width, "CODE": 1} for width in (8, 16, 32, 64)),
    {"DATA_WIDTH": 8, "CODE": 1, "CONVOLUTIONAL": 1},
]


def _name(parameters: dict[str, int]) -> str:
    return "-".join(f"{name.lower()}{value}" for name, value in parameters.items())


@pytest.mark.parametrize("parameters", QUICK, ids=_name)
def test_tm_encoder(parameters: dict[str, int]) -> None:
    simulate("ccsds_tm_encoder", BENCH, parameters)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", FULL, ids=_name)
def test_tm_encoder_of_any_kind(parameters: dict[str, int]) -> None:
    simulate("ccsds_tm_encoder", BENCH, parameters)
