"""The acquisition camera: a Gaussian spot on pixels, with shot and read noise, background, hot pixels and a full well.

| in | unit | out | unit |
| --- | --- | --- | --- |
| light of the exposure summed over its samples, its centroid in the field | W, rad | image | electrons |
| background: uniform, or the sun's disc | W per pixel | | |

The camera is fixed to the gimbal: the steering mirror does not move its field. The spot of one exposure stands at the
centroid of the light that fell during it, which the jitter of one exposure, far below a pixel, does not smear.

Validated against: the integral of the spot over the pixels, the mean-variance line of shot noise, the read noise.
"""

import math
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, model_validator

from flightsw.hal import Record
from sim.configuration import WorldModel
from sim.link_budget import photon_energy

EXPOSURE = np.dtype(
    [
        ("on", "i8"),
        ("period", "i8"),  # samples
        ("open", "i8"),  # samples of each period with the shutter open
        ("clock", "i8"),  # samples since the period began
        ("light", "f8"),  # W summed over samples, of the exposure under way
        ("light_x", "f8"),
        ("light_y", "f8"),
        ("ready", "i8"),  # exposures completed and not yet read
        ("ready_light", "f8"),
        ("ready_x", "f8"),
        ("ready_y", "f8"),
        ("age", "i8"),  # samples since the middle of the ready exposure
    ]
)


class CameraModel(WorldModel):
    """An area sensor that sees the whole uncertainty cone."""

    pixels: int = Field(64, ge=16, le=256, multiple_of=8)
    pixel_urad: float = Field(30.0, gt=0)
    spot_radius_urad: float = Field(30.0, gt=0, description="1/e^2 radius of the spot, on the sky")
    frame_rate_hz: float = Field(100.0, gt=0, le=100)
    exposure_ms: float = Field(9.0, gt=0)
    readout_ms: float = Field(10.0, ge=0, description="from the end of the exposure until the image is there")
    quantum_efficiency: float = Field(0.7, gt=0, le=1)
    read_noise_electrons: float = Field(50.0, ge=0)
    dark_electrons: float = Field(20.0, ge=0, description="per pixel and exposure")
    full_well_electrons: float = Field(200_000.0, gt=0)
    hot_pixels: int = Field(4, ge=0, le=256)
    hot_electrons: float = Field(5_000.0, ge=0)

    @model_validator(mode="after")
    def _exposure_fits_in_a_frame(self) -> Self:
        if self.exposure_ms * self.frame_rate_hz > 1e3 * (1.0 + 1e-9):
            raise ValueError(
                f"expected an exposure_ms within a frame of {1e3 / self.frame_rate_hz:g}, found {self.exposure_ms:g}"
            )
        return self


def new_exposure(model: CameraModel, sample_rate_hz: float) -> NDArray[np.void]:
    """The shutter's record, `EXPOSURE`, shape (), camera off."""
    exposure = np.zeros((), EXPOSURE)
    exposure["period"] = round(sample_rate_hz / model.frame_rate_hz)
    exposure["open"] = min(max(round(model.exposure_ms * 1e-3 * sample_rate_hz), 1), int(exposure["period"]))
    return exposure


@njit(cache=True, nogil=True)
def expose(e: Record, power_w: float, x: float, y: float) -> None:
    """One sample of light of `power_w` from the direction x, y (rad) in the field."""
    if e.on == 0:
        return
    e.age += 1
    if e.clock < e.open:
        e.light += power_w
        e.light_x += power_w * x
        e.light_y += power_w * y
        if e.clock == e.open - 1:
            e.ready = 1
            e.ready_light = e.light
            e.ready_x = e.light_x / e.light if e.light > 0.0 else 0.0
            e.ready_y = e.light_y / e.light if e.light > 0.0 else 0.0
            e.age = e.open // 2
            e.light = 0.0
            e.light_x = 0.0
            e.light_y = 0.0
    e.clock += 1
    if e.clock == e.period:
        e.clock = 0


class Camera:
    """Renders the images of one camera."""

    def __init__(
        self, model: CameraModel, wavelength_m: float, sample_rate_hz: float, rng: np.random.Generator
    ) -> None:
        self._model = model
        self._rng = rng
        self._electrons_per_w = model.quantum_efficiency / photon_energy(wavelength_m) / sample_rate_hz
        self._samples = float(new_exposure(model, sample_rate_hz)["open"])
        self._noise = np.empty((model.pixels, model.pixels), np.float32)
        self.dark = np.full((model.pixels, model.pixels), model.dark_electrons, np.float32)
        hot = rng.choice(model.pixels**2, model.hot_pixels, replace=False)
        self.dark.ravel()[hot] += np.float32(model.hot_electrons)

    @property
    def readout_s(self) -> float:
        """Time in s from the end of an exposure until its image is there."""
        return self._model.readout_ms * 1e-3

    @property
    def half_field_rad(self) -> float:
        """Half of the field of view in rad."""
        return 0.5 * self._model.pixels * self._model.pixel_urad * 1e-6

    @property
    def pixel_rad(self) -> float:
        """Field of one pixel in rad."""
        return self._model.pixel_urad * 1e-6

    def render(
        self, light_w: float, x_rad: float, y_rad: float, background_w: float, sun: tuple[float, float, float] | None
    ) -> NDArray[np.float32]:
        """One image, float32 (pixels, pixels) in electrons.

        light_w: power summed over the exposure's samples; x_rad, y_rad: its centroid in the field; background_w: on
        each pixel; sun: x, y and radius in rad of a disc outside of which there is no background, or None for an even
        one.
        """
        self._rng.standard_normal(out=self._noise, dtype=np.float32)
        centre_x, centre_y, radius = sun if sun else (0.0, 0.0, math.inf)
        return _render(
            self._noise,
            self.dark,
            light_w * self._electrons_per_w,
            x_rad,
            y_rad,
            background_w * self._samples * self._electrons_per_w,
            centre_x,
            centre_y,
            radius,
            self._model.pixel_urad * 1e-6,
            self._model.spot_radius_urad * 1e-6,
            self._model.read_noise_electrons,
            self._model.full_well_electrons,
        )


@njit(cache=True, nogil=True)
def _render(
    noise: NDArray[np.float32],
    dark: NDArray[np.float32],
    electrons: float,
    x: float,
    y: float,
    background: float,
    sun_x: float,
    sun_y: float,
    sun_radius: float,
    pixel: float,
    spot: float,
    read_noise: float,
    full_well: float,
) -> NDArray[np.float32]:
    size = noise.shape[0]
    image = np.empty((size, size), np.float32)
    half = 0.5 * size
    if background > 0.0:
        for row in range(size):
            dy = (row + 0.5 - half) * pixel - sun_y
            for column in range(size):
                dx = (column + 0.5 - half) * pixel - sun_x
                inside = dx * dx + dy * dy < sun_radius * sun_radius
                image[row, column] = dark[row, column] + (background if inside else 0.0)
    else:
        image[:] = dark
    if electrons > 0.0:
        # beyond three radii lies less than 2e-8 of a Gaussian spot
        reach = 3.0 * spot
        left = max(math.floor((x - reach) / pixel + half), 0)
        right = min(math.floor((x + reach) / pixel + half), size - 1)
        low = max(math.floor((y - reach) / pixel + half), 0)
        high = min(math.floor((y + reach) / pixel + half), size - 1)
        scale = math.sqrt(2.0) / spot
        for row in range(low, high + 1):
            edge = (row - half) * pixel - y
            share_y = 0.5 * (math.erf(scale * (edge + pixel)) - math.erf(scale * edge))
            for column in range(left, right + 1):
                edge = (column - half) * pixel - x
                share_x = 0.5 * (math.erf(scale * (edge + pixel)) - math.erf(scale * edge))
                image[row, column] += electrons * share_x * share_y
    read_variance = np.float32(read_noise * read_noise)
    well = np.float32(full_well)
    for row in range(size):
        for column in range(size):
            mean = image[row, column]
            image[row, column] = min(mean + math.sqrt(mean + read_variance) * noise[row, column], well)
    return image
