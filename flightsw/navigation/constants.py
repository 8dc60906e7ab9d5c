"""Physical constants of navigation, SI, and the one array type that it computes with."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: m/s, exact (SI Brochure, 9th edition).
SPEED_OF_LIGHT = 299_792_458.0

#: Equatorial radius in m and gravitational parameter in m^3/s^2 (WGS 84, NGA.STND.0036).
EARTH_RADIUS = 6_378_137.0
EARTH_GM = 3.986004418e14
#: Second zonal harmonic, not normalised: -sqrt(5) C20 of EGM96 (NASA/TP-1998-206861).
EARTH_J2 = 1.08262668e-3

#: m: below this height a ray is taken as lost, through the atmosphere if not into the ground.
ATMOSPHERE_HEIGHT = 100e3
