"""Registers of `ccsds_tm_encoder`, as `hdl/rtl/ccsds_registers.v` lists them."""

from enum import IntEnum

#: What ID reads as: "BLTM".
IDENTITY = 0x424C544D

#: Values of the randomizer's field in CONTROL, by the names of `flightsw.ccsds.coding.Randomizer`.
RANDOMIZERS = {"none": 0, "255": 1, "131071": 2}

#: Values of the convolutional rate's field in CONTROL, by the names of `flightsw.ccsds.coding.ConvolutionalCode`.
RATES = {"none": 0, "1/2": 1, "2/3": 2, "3/4": 3, "5/6": 4, "7/8": 5}


class Register(IntEnum):
    """Byte addresses."""

    ID = 0x00
    VERSION = 0x04
    CAPABILITIES = 0x08
    FRAME_OCTETS = 0x0C
    CODEBLOCK_OCTETS = 0x10
    CONTROL = 0x14
    STATUS = 0x18
    FRAMES_IN = 0x20
    FRAMES_OUT = 0x24
    OCTETS_IN = 0x28
    OCTETS_OUT = 0x2C
    INPUT_STALLS = 0x30
    OUTPUT_STALLS = 0x34
    LENGTH_ERRORS = 0x38


def control(
    *, crc: bool, code: bool, randomizer: str = "none", marker: bool = False, convolutional: str = "none"
) -> int:
    """Value of CONTROL: which stages of the chain a frame passes."""
    stages = crc | code << 1 | marker << 4
    return stages | RANDOMIZERS[randomizer] << 2 | RATES[convolutional] << 5


#: What CONTROL is after a reset.
CONTROL_AT_RESET = control(crc=True, code=True, randomizer="131071", marker=True)
