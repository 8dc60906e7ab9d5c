"""A master on an APB3 bus (AMBA 3 APB, IHI 0024B, chapter 2), and what it asks of every answer."""

from typing import Any

from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

#: Cycles that a slave may take for an answer.
PATIENCE = 16


class Apb:
    """One transfer after the other; inputs change between two rising edges.

    Attributes:
        waits: cycles that the slave made the last transfer wait.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.waits = 0
        for name in ("psel", "penable", "pwrite", "paddr", "pwdata"):
            getattr(dut, name).value = 0

    async def write(self, address: int, value: int) -> bool:
        """Write; True if the slave answers with an error. Returns at the rising edge that ends the transfer."""
        return (await self._transfer(address, value))[1]

    async def read(self, address: int) -> int:
        """Value of a register, which must be one."""
        value, error = await self._transfer(address)
        assert not error, f"read of 0x{address:02X}: expected a value, found an error"
        return value

    async def read_error(self, address: int) -> bool:
        """Read; True if the slave answers with an error."""
        return (await self._transfer(address))[1]

    async def _transfer(self, address: int, value: int | None = None) -> tuple[int, bool]:
        dut = self.dut
        await FallingEdge(dut.clk)
        dut.paddr.value = address
        dut.pwrite.value = value is not None
        dut.pwdata.value = value or 0
        dut.psel.value = 1
        dut.penable.value = 0
        await FallingEdge(dut.clk)
        dut.penable.value = 1
        for self.waits in range(PATIENCE):
            await ReadOnly()
            ready, error, data = bool(dut.pready.value), bool(dut.pslverr.value), int(dut.prdata.value)
            await RisingEdge(dut.clk)
            if ready:
                break
            await FallingEdge(dut.clk)
        else:
            raise AssertionError(f"0x{address:02X}: expected an answer within {PATIENCE} cycles, found none")
        dut.psel.value = 0
        dut.penable.value = 0
        return data, error
