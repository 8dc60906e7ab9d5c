"""Bench of `ccsds_registers`: every address, every bit, counters that are exact to the event."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from hdl.registers import CONTROL_AT_RESET, IDENTITY, Register
from hdl.tb.apb import Apb
from hdl.tb.simulation import simulate
from hdl.tb.stream import CLOCK_NS

BENCH = "hdl.tb.test_ccsds_registers"
PARAMETERS = {"CAPABILITIES": 0x07_05_10_08, "FRAME_OCTETS": 1115, "CODEBLOCK_OCTETS": 1275}

WRITABLE = (Register.CONTROL, Register.STATUS)
#: Each counter with the event that it counts, and how much an event can count.
COUNTERS = {
    Register.FRAMES_IN: ("frame_in", 1),
    Register.FRAMES_OUT: ("frame_out", 1),
    Register.OCTETS_IN: ("octets_in", 8),
    Register.OCTETS_OUT: ("octets_out", 8),
    Register.INPUT_STALLS: ("input_stall", 1),
    Register.OUTPUT_STALLS: ("output_stall", 1),
    Register.LENGTH_ERRORS: ("length_error", 1),
}


async def _start(dut: Any) -> Apb:
    apb = Apb(dut)
    dut.busy.value = 0
    _quiet(dut)
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await _reset(dut)
    return apb


async def _reset(dut: Any) -> None:
    await FallingEdge(dut.clk)
    dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


def _quiet(dut: Any) -> None:
    for name, _ in COUNTERS.values():
        dut[name].value = 0


async def _events(dut: Any, cycles: int, seed: int) -> dict[Register, int]:
    """Random events, each with a probability of its own; how much each counter must have counted."""
    rng = random.Random(seed)
    sums = dict.fromkeys(COUNTERS, 0)
    for _ in range(cycles):
        await FallingEdge(dut.clk)
        for n, (register, (name, most)) in enumerate(COUNTERS.items()):
            amount = rng.randint(1, most) if rng.random() < (n + 1) / 8 else 0
            dut[name].value = amount
            sums[register] += amount
    await FallingEdge(dut.clk)
    _quiet(dut)
    return sums


@cocotb.test()
async def at_reset(dut: Any) -> None:
    """What every register holds after a reset, also after one in mid-work."""
    apb = await _start(dut)
    expected = dict.fromkeys(Register, 0) | {
        Register.ID: IDENTITY,
        Register.VERSION: 0x00_01_00_00,
        Register.CAPABILITIES: PARAMETERS["CAPABILITIES"],
        Register.FRAME_OCTETS: PARAMETERS["FRAME_OCTETS"],
        Register.CODEBLOCK_OCTETS: PARAMETERS["CODEBLOCK_OCTETS"],
        Register.CONTROL: CONTROL_AT_RESET,
    }
    assert int.from_bytes(b"BLTM") == IDENTITY
    for _ in range(2):
        for register, value in expected.items():
            assert await apb.read(register) == value, register.name
            assert apb.waits == 1
        await _events(dut, 20, 1)
        await apb.write(Register.CONTROL, 0xFF)
        await _reset(dut)


@cocotb.test()
async def counters(dut: Any) -> None:
    """Every counter counts its own event and nothing else, by as much as it says."""
    apb = await _start(dut)
    expected = dict.fromkeys(COUNTERS, 0)
    for seed in range(3):
        for register, amount in (await _events(dut, 300, seed)).items():
            expected[register] += amount
        for register in COUNTERS:
            assert await apb.read(register) == expected[register], register.name


@cocotb.test()
async def counters_wrap(dut: Any) -> None:
    """At 2^32, to 0."""
    apb = await _start(dut)
    names = (
        "frames_in",
        "frames_out",
        "octets_in_sum",
        "octets_out_sum",
        "input_stalls",
        "output_stalls",
        "length_errors",
    )
    await FallingEdge(dut.clk)
    for name in names:
        dut[name].value = 2**32 - 3
    for register, amount in (await _events(dut, 40, 5)).items():
        assert await apb.read(register) == amount - 3, register.name


@cocotb.test()
async def control(dut: Any) -> None:
    """Every value of CONTROL, written once and announced once; reserved bits are dropped."""
    apb = await _start(dut)
    announced: list[int] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            if dut.control_written.value:
                await FallingEdge(dut.clk)
                announced.append(int(dut.control.value))

    cocotb.start_soon(watch())
    for value in range(256):
        assert not await apb.write(Register.CONTROL, 0xABCDEF00 | value)
        assert await apb.read(Register.CONTROL) == value
    assert announced == list(range(256))


@cocotb.test()
async def status(dut: Any) -> None:
    """The length error stays until a 1 is written to it, and is not lost when it comes at that moment."""
    apb = await _start(dut)

    async def length_error(cycles: int) -> None:
        for _ in range(cycles):
            await FallingEdge(dut.clk)
        dut.length_error.value = 1
        await FallingEdge(dut.clk)
        dut.length_error.value = 0

    await length_error(1)
    for value in (0, 0xFFFFFFFE):
        assert not await apb.write(Register.STATUS, value)
        assert await apb.read(Register.STATUS) == 1
    found = []
    for cycles in range(1, 6):
        error = cocotb.start_soon(length_error(cycles))
        await apb.write(Register.STATUS, 1)
        await error
        found.append(await apb.read(Register.STATUS))
    # setup, wait state, end of the transfer: from there on the error is the later one
    assert found == [0, 0, 1, 1, 1]
    dut.busy.value = 1
    assert await apb.read(Register.STATUS) == 3
    dut.busy.value = 0
    assert await apb.read(Register.STATUS) == 1


@cocotb.test()
async def errors(dut: Any) -> None:
    """Every address that is no register, and writes to those that are read-only; none of it changes anything."""
    apb = await _start(dut)
    before = {register: await apb.read(register) for register in Register}
    for address in range(256):
        known = address in list(Register)
        assert await apb.read_error(address) == (not known), f"read of 0x{address:02X}"
        if address not in WRITABLE:
            assert await apb.write(address, 0xFFFFFFFF), f"write to 0x{address:02X}"
    assert {register: await apb.read(register) for register in Register} == before


def test_registers() -> None:
    simulate("ccsds_registers", BENCH, PARAMETERS)
