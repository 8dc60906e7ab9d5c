"""AR4JA LDPC codes of rates 1/2, 2/3 and 4/5: CCSDS 131.0-B-5 section 7.4.

The parity-check matrix is an array of M x M blocks: zeros, identities and permutations. Permutation k takes row i to
column pi_k(i) = M/4 ((theta_k + floor(4i/M)) mod 4) + (phi_k(floor(4i/M), M) + i) mod M/4: each quarter of its rows is
a circulant of size M/4, and so the whole matrix is an array of circulants. The last M columns are punctured. They take
part in checks of the first kind twice, of the second three times, of the third once: only the third kind can tell them
at first, and it is decoded first.

Modulo x^(M/4) + 1 = (x + 1)^(M/4), a polynomial has an inverse if its number of ones is odd, and that suffices for the
parity part of the matrix.
"""

from typing import Literal, get_args

from flightsw.ccsds.coding.ldpc import ParityCheck, QuasiCyclicLdpc, Rule
from flightsw.errors import ConfigError

Rate = Literal["1/2", "2/3", "4/5"]

INFORMATION_BITS = (1024, 4096, 16384)

# 7.4.2.2: the permutations summed in each block, 0 for the identity. A higher rate puts its blocks before the lower's.
_BLOCKS_1_2 = (
    ((), (), (0,), (), (0, 1)),
    ((0,), (0,), (), (0,), (2, 3, 4)),
    ((0,), (5, 6), (), (7, 8), (0,)),
)
_BLOCKS_2_3 = (
    ((), ()),
    ((9, 10, 11), (0,)),
    ((0,), (12, 13, 14)),
)
_BLOCKS_4_5 = (
    ((), (), (), ()),
    ((21, 22, 23), (0,), (15, 16, 17), (0,)),
    ((0,), (24, 25, 26), (0,), (18, 19, 20)),
)
_BLOCKS = {
    "1/2": (_BLOCKS_1_2,),
    "2/3": (_BLOCKS_2_3, _BLOCKS_1_2),
    "4/5": (_BLOCKS_4_5, _BLOCKS_2_3, _BLOCKS_1_2),
}

# Sixteenths, the best by simulation at k = 1024.
_NORMALISATION = {"1/2": 11, "2/3": 12, "4/5": 12}

# Tables 7-3 and 7-4: theta_k for k = 1 ... 26.
_THETA = (3, 0, 1, 2, 2, 3, 0, 1, 0, 1, 2, 0, 2, 3, 0, 1, 2, 0, 1, 2, 0, 1, 2, 1, 2, 3)

# Tables 7-3 and 7-4: for each M, phi_k(j, M) for j = 0 ... 3, k = 1 ... 26.
_PHI = {
    128: (
        (1, 22, 0, 26, 0, 10, 5, 18, 3, 22, 3, 8, 25, 25, 2, 27, 7, 7, 15, 10, 4, 19, 7, 9, 26, 17),
        (0, 27, 30, 28, 7, 1, 8, 20, 26, 24, 4, 12, 23, 15, 15, 22, 31, 3, 29, 21, 2, 5, 11, 26, 9, 17),
        (0, 12, 30, 18, 10, 16, 13, 9, 7, 15, 16, 18, 4, 23, 5, 3, 29, 11, 4, 8, 2, 11, 11, 3, 15, 13),
        (0, 13, 19, 14, 15, 20, 17, 4, 4, 11, 17, 20, 8, 22, 19, 15, 5, 21, 17, 9, 20, 18, 31, 13, 2, 18),
    ),
    256: (
        (59, 18, 52, 23, 11, 7, 22, 25, 27, 30, 43, 14, 46, 62, 44, 12, 38, 47, 1, 52, 61, 10, 55, 7, 12, 2),
        (0, 32, 21, 36, 30, 29, 44, 29, 39, 14, 22, 15, 48, 55, 39, 11, 1, 50, 40, 62, 27, 38, 40, 15, 11, 18),
        (0, 46, 45, 27, 48, 37, 41, 13, 9, 49, 36, 10, 11, 18, 54, 40, 27, 35, 25, 46, 24, 33, 18, 37, 35, 21),
        (0, 44, 51, 12, 15, 12, 4, 7, 2, 30, 53, 23, 29, 37, 42, 48, 4, 10, 18, 56, 9, 11, 23, 8, 7, 24),
    ),
    512: (
        (
            16, 103, 105, 0, 50, 29, 115, 30, 92, 78, 70, 66, 39,
            84, 79, 70, 29, 32, 45, 113, 86, 1, 42, 118, 33, 126,
        ),
        (
            0, 53, 74, 45, 47, 0, 59, 102, 25, 3, 88, 65, 62,
            68, 91, 70, 115, 31, 121, 45, 56, 54, 108, 14, 30, 116,
        ),
        (
            0, 8, 119, 89, 31, 122, 1, 69, 92, 47, 11, 31, 19,
            66, 49, 81, 96, 38, 83, 42, 58, 24, 25, 92, 38, 120,
        ),
        (
            0, 35, 97, 112, 64, 93, 99, 94, 103, 91, 3, 6, 39,
            113, 92, 119, 74, 73, 116, 31, 127, 98, 23, 38, 18, 62,
        ),
    ),
    1024: (
        (
            160, 241, 185, 251, 209, 103, 90, 184, 248, 12, 111, 66, 173,
            42, 157, 174, 104, 144, 43, 181, 250, 202, 68, 177, 170, 89,
        ),
        (
            0, 182, 249, 65, 70, 141, 237, 77, 55, 12, 227, 42, 52,
            243, 179, 250, 247, 164, 17, 31, 149, 105, 183, 153, 177, 19,
        ),
        (
            0, 35, 167, 214, 84, 206, 122, 67, 147, 54, 23, 93, 20,
            197, 46, 162, 101, 76, 78, 253, 124, 143, 63, 41, 214, 70,
        ),
        (
            0, 162, 7, 31, 164, 11, 237, 125, 133, 99, 105, 17, 97,
            91, 211, 128, 82, 115, 248, 62, 26, 140, 121, 12, 41, 249,
        ),
    ),
    2048: (
        (
            108, 126, 238, 481, 96, 28, 59, 225, 323, 28, 386, 305, 34,
            510, 147, 199, 347, 391, 165, 414, 97, 158, 86, 168, 506, 489,
        ),
        (
            0, 375, 436, 350, 260, 84, 318, 382, 169, 213, 67, 313, 242,
            188, 1, 306, 397, 80, 33, 7, 447, 336, 424, 134, 152, 492,
        ),
        (
            0, 219, 16, 263, 415, 403, 184, 279, 198, 307, 432, 240, 454,
            294, 479, 289, 373, 104, 141, 270, 439, 333, 399, 14, 277, 412,
        ),
        (
            0, 312, 503, 388, 48, 7, 185, 328, 254, 202, 285, 11, 168,
            127, 8, 437, 475, 85, 419, 459, 468, 209, 311, 211, 510, 320,
        ),
    ),
    4096: (
        (
            226, 618, 404, 32, 912, 950, 534, 63, 971, 304, 409, 708, 719,
            176, 743, 759, 674, 958, 984, 11, 413, 925, 687, 752, 867, 323,
        ),
        (
            0, 767, 227, 247, 284, 370, 482, 273, 886, 634, 762, 184, 696,
            413, 854, 544, 864, 82, 1009, 437, 36, 562, 816, 452, 290, 778,
        ),
        (
            0, 254, 790, 642, 248, 899, 328, 518, 477, 404, 698, 160, 497,
            100, 518, 92, 464, 592, 198, 856, 235, 134, 542, 545, 777, 483,
        ),
        (
            0, 285, 554, 809, 185, 49, 101, 82, 898, 627, 154, 65, 81,
            823, 50, 413, 462, 175, 715, 537, 722, 37, 488, 179, 430, 264,
        ),
    ),
    8192: (
        (
            1148, 2032, 249, 1807, 485, 1044, 717, 873, 364, 1926, 1241, 1769, 532,
            768, 1138, 965, 141, 1527, 505, 1312, 1840, 709, 1427, 989, 1925, 270,
        ),
        (
            0, 1822, 203, 882, 1989, 957, 1705, 1083, 1072, 354, 1942, 446, 1456,
            1940, 1660, 1661, 587, 708, 1466, 433, 1345, 867, 1551, 2041, 1383, 1790,
        ),
        (
            0, 318, 494, 1467, 757, 1085, 1630, 64, 689, 1300, 148, 777, 1431,
            659, 352, 1177, 836, 1572, 348, 1040, 779, 476, 191, 1393, 1752, 1627,
        ),
        (
            0, 1189, 458, 460, 1039, 1000, 1265, 1223, 874, 1292, 1491, 631, 464,
            461, 844, 392, 922, 256, 1986, 19, 266, 471, 1166, 1300, 1033, 1606,
        ),
    ),
}  # fmt: skip


class Ar4ja(QuasiCyclicLdpc):
    """One of the nine codes.

    Attributes, besides those of QuasiCyclicLdpc:
        information_bits: k of the standard, 1024, 4096 or 16384.
        rate: as in "1/2".
    """

    def __init__(self, information_bits: int = 1024, rate: Rate = "1/2", rule: Rule = "corrected") -> None:
        """Raise ConfigError for a code that the standard does not have, or a rule that the decoder does not have."""
        if information_bits not in INFORMATION_BITS:
            raise ConfigError(f"AR4JA information bits: expected one of {INFORMATION_BITS}, found {information_bits}")
        if rate not in _BLOCKS:
            raise ConfigError(f"AR4JA rate: expected one of {get_args(Rate)}, found {rate!r}")
        self.information_bits = information_bits
        self.rate = rate
        rows = [sum(parts, start=()) for parts in zip(*_BLOCKS[rate], strict=True)]
        columns = len(rows[0])
        block_size = information_bits // (columns - 3)
        size = block_size // 4
        super().__init__(
            f"AR4JA {rate}",
            ParityCheck(
                size,
                _ones(rows, block_size),
                block_rows=4 * len(rows),
                block_columns=4 * columns,
                information_blocks=4 * (columns - 3),
            ),
            modulus=1 << size | 1,
            rule=rule,
            normalisation=_NORMALISATION[rate],
            layer_order=[4 * row + quarter for row in (2, 0, 1) for quarter in range(4)],
            punctured_blocks=4,
        )


def _ones(rows: list[tuple[tuple[int, ...], ...]], block_size: int) -> list[tuple[int, int, int]]:
    ones = []
    for row, blocks in enumerate(rows):
        for column, permutations in enumerate(blocks):
            for k in permutations:
                for quarter in range(4):
                    turn = (_THETA[k - 1] + quarter) % 4 if k else quarter
                    place = _PHI[block_size][quarter][k - 1] if k else 0
                    ones.append((4 * row + quarter, 4 * column + turn, place))
    return ones
