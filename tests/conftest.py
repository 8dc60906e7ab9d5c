"""What every test has at hand."""

import os

# the runs are of one core each; idle BLAS threads of several workers would only get in each other's way
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
