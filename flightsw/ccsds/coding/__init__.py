"""The coders of CCSDS 131.0-B-5 and their neighbours, over arrays of many codeblocks; usable without the rest."""

from flightsw.ccsds.coding.convolutional import ConvolutionalCode
from flightsw.ccsds.coding.crc import Crc, crc16, crc16_rows, crc32, crc32_rows
from flightsw.ccsds.coding.ldpc_ar4ja import Ar4ja
from flightsw.ccsds.coding.ldpc_c2 import LdpcC2
from flightsw.ccsds.coding.randomizer import Randomizer
from flightsw.ccsds.coding.reed_solomon import ReedSolomon
from flightsw.ccsds.coding.synchronizer import ASM_32, ASM_64, FrameSynchronizer, cadu

__all__ = [
    "ASM_32",
    "ASM_64",
    "Ar4ja",
    "ConvolutionalCode",
    "Crc",
    "FrameSynchronizer",
    "LdpcC2",
    "Randomizer",
    "ReedSolomon",
    "cadu",
    "crc16",
    "crc16_rows",
    "crc32",
    "crc32_rows",
]
