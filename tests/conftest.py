"""What every test has at hand."""

import os

from hypothesis import settings

# the runs are of one core each; idle BLAS threads of several workers would only get in each other's way
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# the first example of a test may compile a kernel
settings.register_profile("beamlock", deadline=None)
settings.load_profile("beamlock")
