"""Array types, named by the type of their elements."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Float32", "Float64", "Int32", "Int64"]

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
