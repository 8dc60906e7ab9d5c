"""Products of vectors against NumPy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flightsw.navigation.vectors import cross

pairs = st.integers(0, 5).flatmap(
    lambda n: st.tuples(*(arrays(np.float64, (n, 3), elements=st.floats(-1e9, 1e9)) for _ in range(2)))
)


@given(pairs)
def test_the_cross_product_is_numpys_bit_for_bit(pair):
    a, b = pair
    assert cross(a, b).tobytes() == np.cross(a, b).tobytes()
