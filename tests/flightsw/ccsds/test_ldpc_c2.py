"""The code (8160,7136) against the generator matrix that the standard prints and a parity-check matrix built here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from flightsw.ccsds.coding.ldpc_c2 import LdpcC2

# CCSDS 131.0-B, informative annex "Generator matrix circulant table": first rows of circulants, the first digit octal.
PRINTED = {
    (1, 1): "55BF56CC55283DFEEFEA8C8CFF04E1EBD9067710988E25048D67525426939E206"
    "8D2DC6FCD2F822BEB6BD96C8A76F4932AAE9BC53AD20A2A9C86BB461E43759C",
    (1, 2): "6855AE08698A50AA3051768793DC238544AF3FE987391021AAF6383A6503409C3"
    "CE971A80B3ECE12363EE809A01D91204F1811123EAB867D3E40E8C652585D28",
    (2, 1): "62B21CF0AEE0649FA67B7D0EA6551C1CD194CA77501E0FCF8C85867B9CF679C18B"
    "CF7939E10F8550661848A4E0A9E9EDB7DAB9EDABA18C168C8E28AACDDEAB1E",
    (2, 2): "64B71F486AD57125660C4512247B229F0017BA649C6C11148FB00B70808286F1A9"
    "790748D296A593FA4FD2C6D7AAF7750F0C71B31AEE5B400C7F5D73AAF00710",
    (3, 1): "681A8E51420BD8294ECE13E491D618083FFBBA830DB5FAF330209877D801F92B5"
    "E07117C57E75F6F0D873B3E520F21EAFD78C1612C6228111A369D5790F5929A",
    (11, 2): "65287840D00243278F41CE1156D1868F24E02F91D3A1886ACE906CE741662B40B"
    "4EFDFB90F76C1ADD884D920AFA8B3427EEB84A759FA02E00635743F50B942F0",
    (12, 1): "4109DA2A24E41B1F375645229981D4B7E88C36A12DAB64E91C764CC43CCEC188E"
    "C8C5855C8FF488BB91003602BEF43DBEC4A621048906A2CDC5DBD4103431DB8",
    (13, 1): "228845775A262505B47288E065B23B4A6D78AFBDDB2356B392C692EF56A35AB4A"
    "A27767DE72F058C6484457C95A8CCDD0EF225ABA56B7657B7F0E947DC17F972",
    (14, 2): "087EA12042793307045B283D7305E93D8F74725034E77D25D3FF043ADC5F8B5B1"
    "86DB70A968A816835EFB575952EAE7EA4E76DF0D5F097590E1A2A978025573E",
}

# Table 7-1: places of the ones of rows 0 and 511 within each circulant.
ROW_0 = "0,176 12,239 0,352 24,431 0,392 151,409 0,351 9,359 0,307 53,329 0,207 18,281 0,399 202,457 0,247 36,261"
ROW_511 = (
    "99,471 130,473 198,435 260,478 215,420 282,481 48,396 193,445 273,430 302,451 96,379 191,386 244,467 364,470 "
    "51,382 192,414"
)


def parity_check_matrix() -> sparse.csr_array:
    """1022 x 8176, by sums of powers of the shift matrix."""
    shift = sparse.csr_array(np.roll(np.eye(511, dtype=np.uint8), 1, axis=1))
    powers = [sparse.eye_array(511, dtype=np.uint8, format="csr")]
    for _ in range(510):
        powers.append(powers[-1] @ shift)
    blocks = [
        [powers[a] + powers[b] for a, b in (map(int, pair.split(",")) for pair in row.split())]
        for row in (ROW_0, ROW_511)
    ]
    return sparse.csr_array(sparse.block_array(blocks, dtype=np.uint8))


def test_generator_matrix_is_the_printed_one() -> None:
    generator = LdpcC2().generator
    for (row, column), digits in PRINTED.items():
        bits = "".join(map(str, generator[row - 1, column - 1]))
        assert f"{int(bits, 2):0128X}" == digits


def test_parity_check_matrix_has_rank_1020() -> None:
    rows = [int("".join(map(str, row)), 2) for row in parity_check_matrix().toarray()]
    pivots: dict[int, int] = {}
    for row in rows:
        while row and row.bit_length() in pivots:
            row ^= pivots[row.bit_length()]
        if row:
            pivots[row.bit_length()] = row
    assert len(pivots) == 1020


def test_all_unit_messages_satisfy_all_checks() -> None:
    """G H^T = 0, through the encoder, over all 7136 rows of G."""
    code = LdpcC2()
    matrix = parity_check_matrix()
    for first in range(0, 7136, 892):
        messages = np.zeros((892, 7136), np.uint8)
        messages[np.arange(892), first + np.arange(892)] = 1
        codeblocks = np.unpackbits(code.encode(np.packbits(messages, axis=1)), axis=1)
        assert np.array_equal(codeblocks[:, :7136], messages)
        assert not codeblocks[:, 8158:].any()
        words = np.concatenate([np.zeros((892, 18), np.uint8), codeblocks[:, :8158]], axis=1)
        # Octets wrap around at 256, an even number.
        assert not ((matrix @ words.T) % 2).any()
        assert (codeblocks.sum(axis=1) > 100).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_encoder_is_linear(seed: int) -> None:
    a, b = np.random.default_rng(seed).integers(0, 256, (2, 1, 892), dtype=np.uint8)
    code = LdpcC2()
    assert np.array_equal(code.encode(a) ^ code.encode(b), code.encode(a ^ b))


def test_filler_bits_do_not_matter() -> None:
    code = LdpcC2()
    information = np.random.default_rng(1).integers(0, 256, (1, 892), dtype=np.uint8)
    llr = 4 - 8 * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
    llr[0, -2:] = [-100, np.nan]
    decoded, report = code.decode(llr)
    assert np.array_equal(decoded, information)
    assert report.corrected[0] == 0


@pytest.mark.parametrize("errors", [20, 60])
def test_hard_decisions(errors: int) -> None:
    """Far more errors than Reed-Solomon with the same redundancy corrects if each is in a symbol of its own."""
    code = LdpcC2()
    rng = np.random.default_rng(3)
    information = rng.integers(0, 256, (40, 892), dtype=np.uint8)
    llr = 4 - 8 * np.unpackbits(code.encode(information), axis=1).astype(np.float32)
    for row in llr:
        row[rng.permutation(8158)[:errors]] *= -1
    decoded, report = code.decode(llr)
    assert np.array_equal(decoded, information)
    assert (report.corrected == errors).all()
