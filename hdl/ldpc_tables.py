"""Writes the constant tables of the LDPC C2 encoder in `hdl/rtl`, as Verilog headers.

The encoder takes two steps: the syndrome of the information, by the sparse circulants of the parity-check matrix, and
then the parity, by the inverse of the matrix' parity part, four dense circulants. All circulants of the code have an
even number of ones, so there is an inverse only modulo the polynomial with all coefficients one. What it leaves open,
whether a parity block has an even number of ones, the standard's generator matrix decides (7.3.4.3): information in
the blocks whose generator circulants have an odd number of ones, an odd number of them, inverts the parity block.
`python -m hdl.ldpc_tables` writes the files, a test holds them in step.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding import LdpcC2
from flightsw.ccsds.coding.ldpc import ParityCheck, QuasiCyclicLdpc
from hdl.toolchain import RTL

SIZE = 511
INFORMATION_BLOCKS = 14


def taps() -> NDArray[np.int64]:
    """Columns of the ones in the first rows of H's circulants of information, int (2 rows, 2 ones, 14 blocks)."""
    ones = LdpcC2().parity_check.ones
    places = [sorted(place for r, c, place in ones if (r, c) == at) for at in np.ndindex(2, INFORMATION_BLOCKS)]
    return np.array(places).reshape(2, INFORMATION_BLOCKS, 2).transpose(0, 2, 1)


def inverse() -> NDArray[np.uint8]:
    """First rows of the circulants that turn a syndrome into parity, uint8 bits (2 parity, 2 syndrome blocks, 511).

    They are what a code generates whose parity-check matrix has the identity in place of the information circulants.
    """
    parity = [
        (r, c - INFORMATION_BLOCKS + 2, place) for r, c, place in LdpcC2().parity_check.ones if c >= INFORMATION_BLOCKS
    ]
    code = QuasiCyclicLdpc(
        "inverse of LDPC C2",
        ParityCheck(SIZE, [(0, 0, 0), (1, 1, 0), *parity], block_rows=2, block_columns=4, information_blocks=2),
        modulus=(1 << SIZE) - 1,
        rule="normalised",
        normalisation=16,
        layer_order=(0, 1),
    )
    return code.generator.transpose(1, 0, 2)


def odd_blocks() -> NDArray[np.uint8]:
    """Whether the generator's circulants have an odd number of ones, uint8 (2 parity blocks, 14 information blocks)."""
    return np.asarray((LdpcC2().generator.sum(axis=2) % 2).T, np.uint8)


def generator_of_tables() -> NDArray[np.uint8]:
    """The generator matrix that the three tables amount to, shaped as that of the reference encoder."""
    generator = np.zeros((INFORMATION_BLOCKS, 2, SIZE), np.uint8)
    for row, one, block in np.ndindex(2, 2, INFORMATION_BLOCKS):
        generator[block] ^= np.roll(inverse()[:, row], -taps()[row, one, block], axis=1)
    return generator ^ odd_blocks().T[:, :, None]


def _words(name: str, width: int, values: list[int]) -> Iterator[str]:
    """Values as one wide constant, the first in the least significant bits."""
    yield f"localparam [{width * len(values) - 1}:0] {name} = {{"
    for i in range(len(values) - 1, -1, -1):
        yield f"  {width}'h{values[i]:0{-(-width // 4)}x}{',' if i else ''}"
    yield "};"


def _bits(bits: NDArray[np.uint8]) -> list[int]:
    """Last axis to integers, place 0 the least significant bit."""
    return [int("".join(map(str, row[::-1])), 2) for row in bits.reshape(-1, bits.shape[-1])]


def files() -> dict[Path, str]:
    """Every generated file with its content."""
    assert np.array_equal(generator_of_tables(), LdpcC2().generator), "the tables do not make the standard's generator"
    head = "// Written by `python -m hdl.ldpc_tables`; do not edit.\n"
    syndrome = [
        "// Column of a one in the first row of a circulant of H: (row of circulants, one, information block).",
        *_words("C2_TAPS", 9, [int(place) for place in taps().ravel()]),
        "// Information blocks that decide by their number of ones whether a parity block is inverted.",
        *_words("C2_ODD", INFORMATION_BLOCKS, _bits(odd_blocks())),
    ]
    parity = [
        "// First row, by place, of a circulant of the inverse: (parity block, syndrome block).",
        *_words("C2_INVERSE", SIZE, _bits(inverse())),
    ]
    return {
        RTL / "ccsds_ldpc_c2_taps.vh": head + "\n".join(syndrome) + "\n",
        RTL / "ccsds_ldpc_c2_inverse.vh": head + "\n".join(parity) + "\n",
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
        print(path)
