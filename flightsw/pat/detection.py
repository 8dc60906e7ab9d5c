"""Detection of the partner's light on images of the acquisition camera.

The background is estimated in blocks, so a gradient across the field does no harm, and the noise follows from it:
variance = read noise^2 + level. A pixel above the threshold, which follows from the wanted rate of false alarms of a
whole image, is a detection if the pixels in a ring around it are dark: an extended source (the sun's limb) lights the
ring too and is refused. A pixel whose ring does not lie wholly on the image cannot be told from the limb and is not
looked at, so the field ends 5 pixels before the image.

The centroid is taken over the pixels near the peak, less the background; its error is about two pixels over the SNR.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri

_BLOCK = 8
_WINDOW = 3  # pixels on each side of the peak for the centroid
_RING = 5  # pixels from the peak to the ring that must be dark; a saturated spot ends before it
#: Pixels at each edge of the image that are not looked at.
BLIND_PIXELS = _RING
_RING_LEVEL = 0.1  # of the peak, or
_RING_NOISE = 2.0  # times the noise: a pixel above the larger of the two is lit
_RING_SHARE = 0.15  # of the ring's pixels


class Detection(NamedTuple):
    """A spot: its direction in the field in rad, the electrons in it, its peak over the noise."""

    x_rad: float
    y_rad: float
    electrons: float
    snr: float


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds one spot on an image.

    threshold: in units of the noise; mask: bool (rows, columns), pixels not to be trusted; pixel_rad: field of a pixel;
    read_noise: electrons.
    """

    threshold: float
    mask: NDArray[np.bool_]
    pixel_rad: float
    read_noise: float

    def find(self, image: NDArray[np.float32]) -> Detection | None:
        """The brightest spot above the threshold, or None. Pixels that are not finite are ignored."""
        x, y, electrons, snr = _find(image, self.mask, self.threshold, self.read_noise)
        if snr <= 0.0:
            return None
        return Detection(x * self.pixel_rad, y * self.pixel_rad, electrons, snr)


def threshold(false_alarms_per_image: float, pixels: int) -> float:
    """Threshold in units of the noise for a mean number of false alarms per image of Gaussian pixels."""
    return float(-ndtri(false_alarms_per_image / pixels))


def hot_pixel_mask(dark_images: NDArray[np.float32], read_noise: float) -> NDArray[np.bool_]:
    """Pixels that stand out in the mean of dark images (n, rows, columns) by more than eight times its noise."""
    mean = dark_images.mean(axis=0)
    level = np.median(mean)
    noise = math.sqrt((read_noise**2 + max(float(level), 0.0)) / len(dark_images))
    mask: NDArray[np.bool_] = np.abs(mean - level) > 8.0 * noise
    return mask


@njit(cache=True, nogil=True)
def _find(
    image: NDArray[np.float32], mask: NDArray[np.bool_], threshold: float, read_noise: float
) -> tuple[float, float, float, float]:
    rows, columns = image.shape
    blocks_y = (rows + _BLOCK - 1) // _BLOCK
    blocks_x = (columns + _BLOCK - 1) // _BLOCK
    level = np.empty((blocks_y, blocks_x))
    for by in range(blocks_y):
        for bx in range(blocks_x):
            level[by, bx] = _block_level(image, mask, by * _BLOCK, bx * _BLOCK, read_noise)

    best = 0.0
    peak_row = -1
    peak_column = -1
    for by in range(blocks_y):
        for bx in range(blocks_x):
            base = level[by, bx]
            noise = math.sqrt(read_noise * read_noise + max(base, 0.0))
            limit = np.float32(base + threshold * noise)
            for row in range(max(by * _BLOCK, _RING), min((by + 1) * _BLOCK, rows - _RING)):
                for column in range(max(bx * _BLOCK, _RING), min((bx + 1) * _BLOCK, columns - _RING)):
                    value = image[row, column]
                    if value > limit and not mask[row, column] and math.isfinite(value):
                        snr = (value - base) / noise
                        if snr > best:
                            best = snr
                            peak_row = row
                            peak_column = column
    if peak_row < 0:
        return 0.0, 0.0, 0.0, 0.0
    base = level[peak_row // _BLOCK, peak_column // _BLOCK]
    noise = math.sqrt(read_noise * read_noise + max(base, 0.0))
    dim = base + max(_RING_LEVEL * (image[peak_row, peak_column] - base), _RING_NOISE * noise)
    if _is_extended(image, mask, peak_row, peak_column, dim):
        return 0.0, 0.0, 0.0, 0.0
    total = 0.0
    sum_x = 0.0
    sum_y = 0.0
    for row in range(peak_row - _WINDOW, peak_row + _WINDOW + 1):
        for column in range(peak_column - _WINDOW, peak_column + _WINDOW + 1):
            value = image[row, column] - base
            # pixels in the noise pull the centroid toward the middle of the window
            if mask[row, column] or not math.isfinite(value) or value <= 2.0 * noise:
                continue
            total += value
            sum_x += value * (column + 0.5 - 0.5 * columns)
            sum_y += value * (row + 0.5 - 0.5 * rows)
    return sum_x / total, sum_y / total, total, best


@njit(cache=True, nogil=True)
def _is_extended(
    image: NDArray[np.float32], mask: NDArray[np.bool_], peak_row: int, peak_column: int, dim: float
) -> bool:
    ring = 0
    lit = 0
    for row in range(peak_row - _RING, peak_row + _RING + 1):
        for column in range(peak_column - _RING, peak_column + _RING + 1):
            if abs(row - peak_row) < _RING and abs(column - peak_column) < _RING:
                continue
            if mask[row, column] or not math.isfinite(image[row, column]):
                continue
            ring += 1
            if image[row, column] > dim:
                lit += 1
    return lit > _RING_SHARE * ring


@njit(cache=True, nogil=True)
def _block_level(image: NDArray[np.float32], mask: NDArray[np.bool_], top: int, left: int, read_noise: float) -> float:
    """Mean of a block without its bright pixels: clipped three times, so a spot does not raise it."""
    limit = math.inf
    mean = 0.0
    for _ in range(3):
        total = 0.0
        count = 0
        for row in range(top, min(top + _BLOCK, image.shape[0])):
            for column in range(left, min(left + _BLOCK, image.shape[1])):
                value = image[row, column]
                if value <= limit and math.isfinite(value) and not mask[row, column]:
                    total += value
                    count += 1
        if count == 0:
            return mean
        mean = total / count
        limit = mean + 3.0 * math.sqrt(read_noise * read_noise + max(mean, 0.0))
    return mean
