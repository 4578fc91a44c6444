from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from balas_search.postings.posting import Posting

def following(
    one: Posting, other: Posting, check_time: Callable[[], None]
) -> NDArray[np.uint32]: ...
