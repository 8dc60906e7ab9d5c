"""What `ccsds_tm_encoder` must send, by the coders of `flightsw.ccsds.coding` one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding import ConvolutionalCode, LdpcC2, Randomizer, ReedSolomon, cadu, crc16_rows
from flightsw.ccsds.coding.convolutional import Rate
from hdl.registers import control

Octets = NDArray[np.uint8]


@dataclass(frozen=True)
class Settings:
    """What CONTROL says, in words; by default what it says after a reset."""

    crc: bool = True
    code: bool = True
    randomizer: str = "131071"
    marker: bool = True
    rate: str = "none"

    @property
    def word(self) -> int:
        """Value of CONTROL."""
        return control(
            crc=self.crc, code=self.code, randomizer=self.randomizer, marker=self.marker, convolutional=self.rate
        )


AT_RESET = Settings()


class Reference:
    """The chain of a `ccsds_tm_encoder` with these parameters; its convolutional code runs on from call to call.

    Attributes:
        code: the block code.
    """

    def __init__(self, parameters: Mapping[str, int]) -> None:
        """Parameters that are missing are as in the module."""
        of = {"CODE": 0, "E": 16, "INTERLEAVE": 5, "FILL": 0, "DUAL_BASIS": 1, **parameters}
        basis: Literal["dual", "conventional"] = "dual" if of["DUAL_BASIS"] else "conventional"
        self.code: ReedSolomon | LdpcC2 = (
            LdpcC2() if of["CODE"] else ReedSolomon(of["E"], of["INTERLEAVE"], of["FILL"], basis)
        )
        self._rate = "none"
        self._convolutional = ConvolutionalCode("1/2").encoder()

    def length(self, settings: Settings) -> int:
        """Octets of a frame that the settings take; with neither CRC nor code, any other is as good."""
        return self.code.k - 2 * settings.crc

    def line(self, frames: Octets, settings: Settings) -> Octets:
        """Octets that come out for frames uint8 (n, length), (m,); of a wrong length, they come out spoilt."""
        length, found = self.length(settings), frames.shape[1]
        checked = settings.crc or settings.code
        wrong = checked and found != length
        if wrong:
            frames = np.pad(frames[:, :length], ((0, 0), (0, max(length - found, 0))))
        if settings.crc:
            checks = (crc16_rows(frames) ^ (0xFFFF if wrong else 0)).astype(">u2").view(np.uint8)
            frames = np.concatenate([frames, checks.reshape(-1, 2)], axis=1)
        if settings.code:
            frames = self.code.encode(frames)
            if wrong and not settings.crc:
                frames = self._spoilt(frames)
        if settings.randomizer != "none":
            frames = Randomizer(cast(Literal["131071", "255"], settings.randomizer)).apply(frames)
        line = cadu(frames) if settings.marker else frames
        return self._convolved(line.reshape(-1), settings.rate)

    def _spoilt(self, codeblocks: Octets) -> Octets:
        """Every bit of the check inverted; the two zeros behind the LDPC code's are none of it."""
        codeblocks = codeblocks.copy()
        codeblocks[:, self.code.k :] ^= np.uint8(0xFF)
        if isinstance(self.code, LdpcC2):
            codeblocks[:, -1] ^= np.uint8(0x03)
        return codeblocks

    def _convolved(self, line: Octets, rate: str) -> Octets:
        if rate != self._rate:
            self._rate = rate
            if rate != "none":
                self._convolutional = ConvolutionalCode(cast(Rate, rate)).encoder()
        return line if rate == "none" else self._convolutional.encode(line[None])[0]
