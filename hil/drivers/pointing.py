"""The two devices that the host closes the fine loop over: a reading and a command each sample."""

import math

from hil.bodies import decode_mirror_samples, decode_quad_samples, encode_mirror_angles, encode_quad_stimulus
from hil.drivers.attachment import Attachment
from hil.protocol import WHOLE, Accepted, Data, Stimulated, Stimulus

#: A reading that is older, in samples, is none.
STALE_SAMPLES = 100

_DARK = (0.0, 0.0, 0.0)


class QuadCellDriver:
    """A quad cell. While it is lost, or does not answer, there is no light."""

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self._link = attachment.link
        self._newest = _DARK
        self._age = STALE_SAMPLES

    def read(self, x_rad: float, y_rad: float, power_w: float, background_w: float) -> tuple[float, float, float]:
        """Errors in rad and light in W, where the world has the line of sight at x, y and so much light on the cell."""
        samples = self._link.samples
        samples.clear()
        if self.attachment.shown:
            stimulus = Stimulus(encode_quad_stimulus((x_rad, y_rad, power_w, background_w)))
            self.attachment.ask(lambda: self._link.request(stimulus, Stimulated))
            self._age = STALE_SAMPLES
        else:
            self.attachment.ask(self._link.poll)
            self._age += 1
        if samples:
            octets = samples.pop().samples.octets
            read = self.attachment.decode(decode_quad_samples, octets)
            if read is not None and len(read):
                self._newest = tuple(read[-1].tolist())
                self._age = 0
        return self._newest if self._age < STALE_SAMPLES else _DARK


class MirrorDriver:
    """A steering mirror. While it is lost, it is believed to stay where it was.

    Attributes:
        measured: the angle in rad that its sensor showed last.
    """

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self.measured = (0.0, 0.0)
        self._link = attachment.link
        self._sent = (0.0, 0.0)

    def steer(self, x_rad: float, y_rad: float) -> tuple[float, float]:
        """Command an angle for the next sample; returns the one that is measured then. No number is no command."""
        if math.isfinite(x_rad) and math.isfinite(y_rad):
            self._sent = (x_rad, y_rad)
        samples = self._link.samples
        samples.clear()
        message = Data(WHOLE, encode_mirror_angles(self._sent))
        if self.attachment.shown:
            self.attachment.ask(lambda: self._link.request(message, Accepted))
        else:
            # a port with latency must not make the loop wait for a receipt
            self.attachment.ask(lambda: self._link.post(message))
            self.attachment.ask(self._link.poll)
        if samples:
            octets = samples.pop().samples.octets
            angles = self.attachment.decode(decode_mirror_samples, octets)
            if angles is not None and len(angles):
                x, y = angles[-1].tolist()
                if math.isfinite(x) and math.isfinite(y):
                    self.measured = (x, y)
        return self.measured
