"""Builds the compiled parts: every .pyx, and every .py that has a .pxd of the same name beside it."""

import fnmatch
import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOTS = [Path("core"), *sorted(Path("modules").iterdir())]

# BALAS_SAFE=1 builds with bounds checks, for hunting a memory fault.
SAFE = os.environ.get("BALAS_SAFE") == "1"
# BALAS_BUILD_ONLY="balas.protocol.*,balas_bloom.*" limits a build in place to the named extensions.
ONLY = os.environ.get("BALAS_BUILD_ONLY", "*").split(",")

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": SAFE,
    "wraparound": SAFE,
    "initializedcheck": SAFE,
    "cdivision": True,
    "embedsignature": True,
    "embedsignature.format": "python",
    "annotation_typing": False,
}


def sources() -> list[tuple[str, Path]]:
    """Name and path of every source that is compiled."""
    found = []
    for root in ROOTS:
        for path in sorted(root.rglob("*.py*")):
            compiled = path.suffix == ".pyx" or (
                path.suffix == ".py" and path.with_suffix(".pxd").exists()
            )
            if compiled:
                found.append((".".join(path.relative_to(root).with_suffix("").parts), path))
    return [(name, path) for name, path in found if any(fnmatch.fnmatch(name, o) for o in ONLY)]


extensions = [
    Extension(name, [str(path)], extra_compile_args=["-O2", "-fno-strict-aliasing", "-g0"])
    for name, path in sources()
]

setup(
    ext_modules=cythonize(
        extensions,
        include_path=[str(root) for root in ROOTS],
        compiler_directives=DIRECTIVES,
        nthreads=int(os.environ.get("BALAS_BUILD_JOBS", "2")),
    )
)
