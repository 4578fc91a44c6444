import numpy as np
from numpy.typing import NDArray

from balas_search.postings.posting import Posting

def following(one: Posting, other: Posting) -> NDArray[np.uint32]: ...
