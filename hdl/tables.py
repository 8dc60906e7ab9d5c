"""Writes the constant tables of `hdl/rtl`: rows of generator matrices, as Verilog headers.

Every encoder here is linear over GF(2), so the step of its check register by a whole beat is the exclusive-or of one
constant row for each input bit. A row is the check that the code's reference encoder gives for the unit vector of that
bit; nothing is derived twice. `python -m hdl.tables` writes the files, a test holds them in step.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding import ReedSolomon, crc16_rows
from hdl.toolchain import RTL

#: Octets of one codeword that a beat can bring: the rows reach so far ahead of the check register.
AHEAD = 8


def reed_solomon_rows(e: int, basis: str) -> NDArray[np.uint8]:
    """Checks of unit vectors, uint8 (64, 2e): row 8 p + b is bit b of the symbol that p symbols follow."""
    code = ReedSolomon(e, basis="dual" if basis == "dual" else "conventional")
    information = np.zeros((8 * AHEAD, code.k), np.uint8)
    for row in range(8 * AHEAD):
        information[row, code.k - 1 - row // 8] = 1 << (row % 8)
    return code.encode(information)[:, code.k :]


def crc16_rows_of_bits() -> NDArray[np.uint8]:
    """CRC-16 with initial value 0 of unit vectors, uint8 (64, 2), rows as in `reed_solomon_rows`."""
    messages = np.zeros((8 * AHEAD + 1, AHEAD), np.uint8)
    for row in range(8 * AHEAD):
        messages[row, AHEAD - 1 - row // 8] = 1 << (row % 8)
    # the initial value FFFF adds the same to every message of this length: the last one, all zeros, shows how much
    checks = np.asarray(crc16_rows(messages), np.uint16)
    return np.ascontiguousarray((checks[:-1] ^ checks[-1]).astype(">u2")).view(np.uint8).reshape(-1, 2)


def crc16_starts() -> NDArray[np.uint8]:
    """Register values that 0, 1, ... 7 octets of zeros turn into FFFF, uint8 (8, 2)."""
    starts = [0xFFFF]
    for _ in range(AHEAD - 1):
        value = starts[-1]
        for _ in range(8):
            value = ((value ^ 0x1021) >> 1 | 0x8000) if value & 1 else value >> 1
        starts.append(value)
    return np.array(starts, ">u2").view(np.uint8).reshape(-1, 2)


def _parameter(name: str, rows: Sequence[NDArray[np.uint8]]) -> Iterator[str]:
    """Rows as one wide constant, row 0 in the least significant bits; a row's first octet is its most significant."""
    yield f"localparam [{8 * sum(row.size for row in rows) - 1}:0] {name} = {{"
    for i in range(len(rows) - 1, -1, -1):
        yield f"  {8 * rows[i].size}'h{rows[i].tobytes().hex()}{',' if i else ''}"
    yield "};"


def files() -> dict[Path, str]:
    """Every generated file with its content."""
    head = "// Written by `python -m hdl.tables`; do not edit.\n"
    sets = [reed_solomon_rows(e, basis) for e in (16, 8) for basis in ("dual", "conventional")]
    rs = _parameter("RS_ROWS", [row for rows in sets for row in rows])
    crc = [
        *_parameter("CRC16_ROWS", list(crc16_rows_of_bits())),
        *_parameter("CRC16_STARTS", list(crc16_starts())),
    ]
    return {
        RTL / "ccsds_rs_rows.vh": head + "\n".join(rs) + "\n",
        RTL / "ccsds_crc16_rows.vh": head + "\n".join(crc) + "\n",
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
        print(path)
