"""A beam on the sky, as the compiled step has it, for the checks that draw pointing errors themselves."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim import optics
from sim.link_budget import FWHM_PER_RADIUS, BeamModel, LaserModel, OpticsModel

Array = NDArray[np.float64]


def beam(radius_urad: float, bias_urad: float = 0.0) -> NDArray[np.void]:
    """A lit beam of 1 W and 1/e^2 half-angle `radius_urad`, its axis off by `bias_urad`: records of `OPTICS`, (1,)."""
    laser = LaserModel(signal=BeamModel(power_w=1.0, divergence_fwhm_urad=radius_urad * FWHM_PER_RADIUS))
    record = optics.new_optics(laser, OpticsModel(transmit_alignment_urad=(bias_urad, 0.0)), laser)
    record["signal_on"] = 1
    return record.reshape(1)


@njit(nogil=True)
def _emit(o: NDArray[np.void], errors: Array, out: Array) -> None:
    for k in range(len(errors)):
        out[k], _ = optics.emit(o[0], errors[k, 0], errors[k, 1], 0.0, 0.0)


def intensities(o: NDArray[np.void], errors: Array) -> Array:
    """Intensity toward the partner in W/sr, (n,), for pointing errors (n, 2) in rad."""
    out = np.empty(len(errors))
    _emit(o, errors, out)
    return out
