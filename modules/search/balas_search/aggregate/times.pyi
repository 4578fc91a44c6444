import numpy as np
from numpy.typing import NDArray

YEAR: int
MONTH: int
MONTH_DAY: int
WEEK_DAY: int
YEAR_DAY: int
MONTH_BEGIN: int

def written(time_s: float, form: bytes) -> bytes | None: ...
def read(text: bytes, form: bytes) -> float | None: ...
def parts_of(time_s: float) -> tuple[float, float, float, float, float] | None: ...
def calendar(times_s: NDArray[np.int64], part: int) -> NDArray[np.float64]: ...
