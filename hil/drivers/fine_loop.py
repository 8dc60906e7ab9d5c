"""A fine loop that a board closes itself.

Once a frame the host sends gains and set-points, and takes the samples that the board took meanwhile.
"""

import numpy as np
from numpy.typing import NDArray

from flightsw.hal import FRAME_RATE_HZ, SAMPLE
from hil.bodies import (
    decode_block,
    encode_close,
    encode_configure,
    encode_fine_loop_stimulus,
    encode_follow,
    encode_hold,
)
from hil.drivers.attachment import Attachment
from hil.parts import Joiner
from hil.simulated import Clock


class FineLoopDriver:
    """`hal.FineLoop` over a link. What the board did not take is sent again, and it is told all anew when it is back.

    Attributes:
        presence_w: light below which the loop follows nothing, as last configured.
    """

    def __init__(self, attachment: Attachment, blocks: list[NDArray[np.void]], clock: Clock) -> None:
        """`blocks`: SAMPLE (samples,) for each frame of a second, which the engine fills."""
        self.attachment = attachment
        self.presence_w = 0.0
        self._blocks = blocks
        self._clock = clock
        self._configuration = b""
        self._pending: dict[str, bytes] = {}
        self._aim = b""
        self._joiner = Joiner()
        self._set_point = (0.0, 0.0)

    @property
    def sample_rate_hz(self) -> float:
        """Samples per second."""
        return float(len(self._blocks[0]) * FRAME_RATE_HZ)

    def configure(self, parameters: NDArray[np.void]) -> None:
        """Load control parameters."""
        self.presence_w = float(parameters["presence_w"])
        self._configuration = encode_configure(parameters)
        self._send("configure", self._configuration)

    def follow(self, trajectory: NDArray[np.float64]) -> None:
        """Steer the mirror along a trajectory in the next frame."""
        self._send("aim", encode_follow(trajectory))

    def hold(self, x_rad: float, y_rad: float) -> None:
        """Steer the mirror to one angle."""
        octets = encode_hold(x_rad, y_rad)
        if octets != self._aim:
            self._send("aim", octets)

    def close(self) -> None:
        """Close the loop."""
        self._send("aim", encode_close())

    def block(self) -> NDArray[np.void]:
        """Samples of the last frame."""
        return self._blocks[self._clock.slot]

    def run(self, rows: NDArray[np.float64], samples: NDArray[np.void]) -> None:
        """A turn: rows (n, 4) of what the board sees before its mirror, `samples` (n,) to fill with what it did.

        Samples that do not come are dark, the mirror staying at its last command.
        """
        link = self.attachment.link
        link.samples.clear()
        if self.attachment.shown:
            self.attachment.ask(lambda: link.stimulate(encode_fine_loop_stimulus(rows)))
        else:
            self.attachment.ask(link.poll)
        came = self._take()
        n = min(len(came), len(samples))
        samples[len(samples) - n :] = came[len(came) - n :]
        missing = samples[: len(samples) - n]
        missing[:] = 0
        missing["mirror_x"], missing["mirror_y"] = self._set_point
        if len(samples):
            self._set_point = float(samples[-1]["mirror_x"]), float(samples[-1]["mirror_y"])

    def look_after(self) -> None:
        """Once a frame: send what was not taken yet."""
        for name in list(self._pending):
            self._send(name, self._pending[name])

    def tell_all(self) -> None:
        """A board that is back knows nothing of before."""
        told = {"configure": self._configuration, "aim": self._aim}
        for name, octets in told.items():
            if octets:
                self._pending.setdefault(name, octets)
        self.look_after()

    def _send(self, name: str, octets: bytes) -> None:
        self._pending[name] = octets
        if name == "aim":
            self._aim = octets
        if self.attachment.ask(lambda: self.attachment.link.send(octets)) is not None:
            self._pending.pop(name, None)

    def _take(self) -> NDArray[np.void]:
        """All samples that have come, oldest first."""
        blocks: list[NDArray[np.void]] = []
        for received in self.attachment.link.samples:
            sequence, flags, octets = received.samples
            whole = self._joiner.push(flags, octets, sequence)
            block = None if whole is None else self.attachment.decode(decode_block, whole)
            if block is not None:
                blocks.append(block)
        self.attachment.link.samples.clear()
        return np.concatenate(blocks) if blocks else np.empty(0, SAMPLE)
