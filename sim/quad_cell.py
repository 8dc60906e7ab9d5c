"""The quad cell: four photodiodes under a Gaussian spot, with shot and electronic noise.

| in | unit | out | unit |
| --- | --- | --- | --- |
| spot position x, y | rad on the sky | (right - left) / sum and (upper - lower) / sum | 1 |
| light and background on the cell | W | light on the cell | W |

The light is amplitude-modulated and detected in lock-in, so steady background adds shot noise but no offset.

Validated against: erf(sqrt(2) x / w); NEA = sqrt(pi / 8) w sqrt(S + 4 sigma_n^2) / S.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field

from flightsw.hal import Record
from sim.configuration import WorldModel
from sim.link_budget import photon_energy

NOISE_COLUMNS = 4

QUAD_CELL = np.dtype(
    [
        ("spot", "f8"),  # rad, 1/e^2 radius of the spot on the sky
        ("field", "f8"),  # rad, radius of the field stop
        ("electrons_per_w", "f8"),  # per sample
        ("read_variance", "f8"),  # electrons^2 per quadrant and sample
        ("background", "f8"),  # electrons per sample on the whole cell
        ("dead", "i8"),  # a fault: the cell reads NaN
    ]
)


class QuadCellModel(WorldModel):
    """A quad cell behind the steering mirror."""

    spot_radius_urad: float = Field(50.0, gt=0, description="1/e^2 radius of the spot, on the sky")
    field_radius_urad: float = Field(100.0, gt=0)
    quantum_efficiency: float = Field(0.8, gt=0, le=1)
    read_noise_electrons: float = Field(1000.0, ge=0, description="rms, per quadrant and sample")


def new_quad_cell(model: QuadCellModel, sample_rate_hz: float, wavelength_m: float) -> NDArray[np.void]:
    """The cell in the dark: record of `QUAD_CELL`, shape ()."""
    cell = np.zeros((), QUAD_CELL)
    cell["spot"] = model.spot_radius_urad * 1e-6
    cell["field"] = model.field_radius_urad * 1e-6
    cell["electrons_per_w"] = model.quantum_efficiency / photon_energy(wavelength_m) / sample_rate_hz
    cell["read_variance"] = model.read_noise_electrons**2
    return cell


@njit(cache=True, nogil=True)
def read(
    q: Record, x: float, y: float, power_w: float, noise: NDArray[np.float64], first: int
) -> tuple[float, float, float]:
    """One sample: normalised signals of both axes and the light in W, from a spot at x, y (rad) of `power_w`.

    noise: standard normal, float64; the cell takes the four columns from `first` on.
    """
    if q.dead != 0:
        return math.nan, math.nan, math.nan
    scale = math.sqrt(2.0) / q.spot
    radius = math.sqrt(x * x + y * y)
    if radius > q.field - q.spot:
        power_w *= 0.5 * (1.0 - math.erf(scale * (radius - q.field)))
    light = power_w * q.electrons_per_w
    right = 0.5 * (1.0 + math.erf(scale * x))
    upper = 0.5 * (1.0 + math.erf(scale * y))
    dark = q.read_variance + 0.25 * q.background
    a = light * right * upper
    b = light * (1.0 - right) * upper
    c = light * (1.0 - right) * (1.0 - upper)
    d = light * right * (1.0 - upper)
    a += math.sqrt(a + dark) * noise[first]
    b += math.sqrt(b + dark) * noise[first + 1]
    c += math.sqrt(c + dark) * noise[first + 2]
    d += math.sqrt(d + dark) * noise[first + 3]
    total = a + b + c + d
    if total <= 0.0:
        return 0.0, 0.0, 0.0
    return (a + d - b - c) / total, (a + b - c - d) / total, total / q.electrons_per_w


def noise_equivalent_angle(spot_radius: float, electrons: float, read_noise: float) -> float:
    """Noise-equivalent angle per axis in the unit of `spot_radius`; `electrons` in all, `read_noise` a quadrant.

    sqrt(pi / 8) w sqrt(S + 4 sigma_n^2) / S, valid for a spot near the centre.
    """
    return math.sqrt(math.pi / 8.0) * spot_radius * math.sqrt(electrons + 4.0 * read_noise**2) / electrons
