"""Check 13: powers from laser to detector, photons per bit, and the sun, by the models that a run uses."""

import math

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from hil.validation.check import Figure, at_least, exact, near, within_db
from sim import optics
from sim.camera import CameraModel
from sim.channel import OpticalChannel
from sim.link_budget import BeamModel, LaserModel, OpticsModel, SplitModel, dbm
from sim.quad_cell import QuadCellModel
from sim.receiver import Receiver, ReceiverModel
from sim.sky import Sky
from sim.sun import ASTRONOMICAL_UNIT, SUN_RADIUS, spectral_radiance

_WAVELENGTH_M = 1550e-9
_GAUSSIAN = "far field of a Gaussian beam, 2 P / (pi w^2): Siegman, Lasers, 1986, ch. 17"
_AMPLIFIED = "Humblet and Azizoglu, J. Lightwave Technol. 9, 1991"
_STANDARD = "SDA OCT Standard 3.2.0"
_SUN = "black body of 5772 K: IAU 2015 resolution B3"
_APERTURE = "Klein and Degnan, Appl. Opt. 13, 1974"


def link(
    quick: bool,
    power_w: float = 2.5,
    divergence_fwhm_urad: float = 15.0,
    range_km: float = 5500.0,
    aperture_mm: float = 80.0,
    line_rate_gbps: float = 2.5,
) -> list[Figure]:
    """The published figures of a link: irradiance, received power, photons per bit, the sun beside them."""
    laser = LaserModel(signal=BeamModel(power_w=power_w, divergence_fwhm_urad=divergence_fwhm_urad))
    lossless = OpticsModel(aperture_mm=aperture_mm, transmit_loss_db=0.0, receive_loss_db=0.0, wavefront_error_nm=0.0)

    def irradiance(model: OpticsModel) -> float:
        """On the axis, uW/m^2."""
        return float(optics.new_optics(laser, model, laser)["signal_intensity"]) / (range_km * 1e3) ** 2 * 1e6

    def efficiency(truncation: float) -> float:
        """Of the aperture, its radius over the 1/e^2 radius of the beam in it."""
        cut = float(
            optics.new_optics(laser, lossless.model_copy(update={"truncation": truncation}), laser)["signal_intensity"]
        )
        return cut * _WAVELENGTH_M**2 / (power_w * lossless.collecting_area_m2)

    best = float(minimize_scalar(lambda a: -efficiency(a), bounds=(0.5, 2.0), method="bounded").x)
    least_w = 25e-6 * float(optics.new_optics(laser, lossless, laser)["aperture"])
    channel = OpticalChannel(ReceiverModel(), _WAVELENGTH_M, line_rate_gbps * 1e9, np.random.default_rng(13))
    photons = float(channel.photons_per_bit(np.array([least_w]))[0])
    return [
        Figure("irradiance without losses", "uW/m^2", within_db(324.2, _GAUSSIAN, 0.1), exact(irradiance(lossless))),
        Figure("irradiance with losses", "uW/m^2", at_least(25.0, _STANDARD), exact(irradiance(OpticsModel()))),
        Figure(
            "25 uW/m^2 on the aperture",
            "dBm",
            near(-39.01, f"{_STANDARD}, times pi D^2 / 4", absolute=0.1),
            exact(dbm(least_w)),
        ),
        Figure(
            "the same per bit", "photons", within_db(393.0, "h c / lambda a photon: CODATA 2018", 0.1), exact(photons)
        ),
        *(
            Figure(f"{name} at BER 1e-9", "photons", within_db(value, source, 0.1), exact(_sensitivity(kind)))
            for name, kind, value, source in (
                ("preamplified OOK", "preamplified_ook", 38.4, _AMPLIFIED),
                ("DPSK", "dpsk", 20.03, _AMPLIFIED),
                (
                    "photon-counting OOK",
                    "photon_counting_ook",
                    10.02,
                    "quantum limit of OOK, ln(5e8) / 2: Pierce, 1978",
                ),
            )
        ),
        Figure("efficiency of the aperture, best", "", within_db(0.8145, _APERTURE, 0.1), exact(efficiency(best))),
        Figure("truncation at the best", "", near(1.12, _APERTURE, absolute=0.01), exact(best)),
        Figure("sun on the tracking sensor", "uW", within_db(0.132, _SUN, 0.1), exact(_sunlight(aperture_mm))),
    ]


def _sensitivity(kind: str) -> float:
    """Photons per bit for an error rate of 1e-9."""
    receiver = Receiver(ReceiverModel.model_validate({"kind": kind, "implementation_loss_db": 0.0}))
    return float(brentq(lambda n: math.log10(receiver.error_probability(np.array([n]))[0]) + 9.0, 1.0, 200.0))


def _sunlight(aperture_mm: float) -> float:
    """Light in uW of the sun's disc in a field of 100 urad, 1 nm wide, without losses."""
    tracking = SplitModel(communication=0.0, quad_cell=1.0, camera=0.0)
    sky = Sky(
        np.zeros((1, 2)),
        1.0,
        spectral_radiance(_WAVELENGTH_M) * 1e-9,
        SUN_RADIUS / ASTRONOMICAL_UNIT,
        OpticsModel(aperture_mm=aperture_mm, receive_loss_db=0.0, filter_nm=1.0, split=tracking),
        CameraModel(),
        QuadCellModel(field_radius_urad=50.0),
    )
    return float(sky.on_quad_cell[0]) * 1e6
