"""The generated Verilog headers: in step with their script, and right by the standard's own numbers."""

import re

import numpy as np

from hdl import tables
from hdl.toolchain import RTL


def test_files_are_in_step() -> None:
    for path, text in tables.files().items():
        assert path.read_text() == text, f"{path}: python -m hdl.tables"


def test_last_rows_are_the_generator_polynomial() -> None:
    # 131.0-B-5: exponents of the coefficients G0..G16 of the self-reciprocal generator, E = 16; G0 is that of degree 0
    exponents = [0, 249, 59, 66, 4, 43, 126, 251, 97, 30, 3, 213, 50, 66, 170, 5, 24]
    powers = [1]
    for _ in range(254):
        powers.append(powers[-1] << 1 ^ (0x187 if powers[-1] & 0x80 else 0))
    generator = [powers[exponent] for exponent in (*exponents, *exponents[-2::-1])]
    # x^32 mod g = g without its leading term; the row of bit 0, which is 1, with nothing behind it
    row = tables.reed_solomon_rows(16, "conventional")[0]
    assert row.tolist() == generator[31::-1]


def test_crc_row_of_the_last_bit_is_the_polynomial() -> None:
    assert tables.crc16_rows_of_bits()[0].tolist() == [0x10, 0x21]


def test_crc_starts_become_ones_behind_zeros() -> None:
    for zeros, start in enumerate(tables.crc16_starts()):
        value = int.from_bytes(start.tobytes(), "big")
        for _ in range(8 * zeros):
            value = (value << 1 ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
        assert value == 0xFFFF
    assert np.unique(tables.crc16_starts(), axis=0).shape == (8, 2)


def test_core_file_lists_what_the_chain_is_made_of() -> None:
    """FuseSoC's file names every module that the chain instantiates, and every header that these include."""
    listed = set(re.findall(r"rtl/([\w.]+)", (RTL.parent / "beamlock.core").read_text()))
    modules = {path.stem: path.read_text() for path in RTL.glob("*.v")}
    needed, fresh = set(), {"ccsds_tm_encoder"}
    while fresh:
        needed |= fresh
        used = {
            name for module in fresh for name in modules if re.search(rf"^\s*{name} (#|\w+ \()", modules[module], re.M)
        }
        fresh = used - needed
    headers = {name for module in needed for name in re.findall(r'`include "([\w.]+)"', modules[module])}
    assert listed == {f"{name}.v" for name in needed} | headers
