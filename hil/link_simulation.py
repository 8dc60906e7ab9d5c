"""Frame error rate of a link profile over a range of light levels, beside the uncoded bit error curve."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flightsw.ccsds.coding.crc import crc16_rows
from flightsw.ccsds.link import LinkDecoder, LinkEncoder
from flightsw.ccsds.profile import LinkProfile
from flightsw.errors import ConfigError
from sim.channel import OpticalChannel
from sim.link_budget import photon_energy
from sim.receiver import Receiver, ReceiverModel

_WAVELENGTH_M = 1.55e-6
_LINE_RATE_HZ = 2.5e9
_FRAMES_A_BATCH = 40
_ENOUGH_ERRORS = 50


@dataclass(frozen=True, slots=True)
class Point:
    """One light level: frames sent and wrong, the rate with its 95 % interval, and the bit error rate of the line."""

    photons_per_bit: float
    frames: int
    errors: int
    low: float
    high: float
    bit_error_rate: float

    @property
    def frame_error_rate(self) -> float:
        """Share of frames that did not come out right."""
        return self.errors / self.frames


def wilson(errors: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a proportion (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    share = errors / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def levels(text: str) -> list[float]:
    """Light levels of A:B:STEP. Raises ConfigError for anything else."""
    try:
        first, last, step = (float(part) for part in text.split(":"))
    except ValueError:
        raise ConfigError(f"--photons-per-bit: expected A:B:STEP, as in 4:20:2, found {text}") from None
    if not (0.0 < first <= last and step > 0.0 and (last - first) / step < 1000):
        raise ConfigError(f"--photons-per-bit: expected 0 < A <= B and STEP > 0, at most 1,000 levels, found {text}")
    return [first + i * step for i in range(int((last - first) / step + 1e-9) + 1)]


def simulate(
    profile: LinkProfile, photons: list[float], receiver: ReceiverModel, soft: bool, frames: int, seed: int
) -> Iterator[Point]:
    """Points of the curve, each from at most `frames` frames, or fewer once 50 errors are counted."""
    length = profile.frame.length_octets
    for level in photons:
        rng = np.random.default_rng([seed, round(level * 1e6)])
        channel = OpticalChannel(receiver, _WAVELENGTH_M, _LINE_RATE_HZ, rng)
        power = np.array([level * photon_energy(_WAVELENGTH_M) * _LINE_RATE_HZ])
        sent = wrong = 0
        while sent < frames and wrong < _ENOUGH_ERRORS:
            batch = rng.integers(0, 256, (min(_FRAMES_A_BATCH, frames - sent), length), dtype=np.uint8)
            batch[:, -2:] = crc16_rows(batch[:, :-2]).astype(">u2").view(np.uint8).reshape(-1, 2)
            encoder = LinkEncoder(profile, _LINE_RATE_HZ)
            line = np.concatenate([encoder.encode(batch), encoder.flush()])
            decoder = LinkDecoder(profile, "llrs" if soft else "octets", _LINE_RATE_HZ)
            received = channel.soft(line, power) if soft else channel.hard(line, power)
            out = np.concatenate([decoder.push(received), decoder.flush()])
            right = {row.tobytes() for row in batch} & {row.tobytes() for row in out}
            sent += len(batch)
            wrong += len(batch) - len(right)
        bit_error_rate = float(Receiver(receiver).error_probability(np.array([level]))[0])
        yield Point(level, sent, wrong, *wilson(wrong, sent), bit_error_rate)


def plot(points: list[Point], title: str, path: Path) -> None:
    """Write the curve as a picture, its format by the ending of `path`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    x = [p.photons_per_bit for p in points]
    seen = [p for p in points if p.errors]
    axes.semilogy(x, [p.bit_error_rate for p in points], color="0.5", linestyle="--", label="bits of the line")
    axes.errorbar(
        [p.photons_per_bit for p in seen],
        [p.frame_error_rate for p in seen],
        [[p.frame_error_rate - p.low for p in seen], [p.high - p.frame_error_rate for p in seen]],
        color="#0072b2",
        marker="o",
        capsize=3,
        label="frames",
    )
    none = [p for p in points if not p.errors]
    axes.plot([p.photons_per_bit for p in none], [p.high for p in none], "v", color="#0072b2", label="no error: below")
    axes.set(xlabel="photons per bit", ylabel="error rate", title=title, ylim=(1e-6, 1.2))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)
