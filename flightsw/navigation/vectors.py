"""Products of many vectors at once."""

import numpy as np

from flightsw.navigation.constants import FloatArray


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the cross products (n, 3) of vectors (n, 3).

    As `numpy.cross`, bit for bit, in a fraction of its time: a line of sight takes dozens of few vectors each.
    """
    product = np.empty_like(a)
    product[:, 0] = a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1]
    product[:, 1] = a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]
    product[:, 2] = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return product
