"""Finds the packages and builds the compiled parts.

Compiled are every .pyx, and every .py that has a .pxd of the same name beside it. core/ and each
modules/<name>/ are source roots; a new package, extension or module needs no entry here.
"""

import fnmatch
import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

ROOTS = [Path("core"), *sorted(path for path in Path("modules").iterdir() if path.is_dir())]

# BALAS_SAFE=1 builds with bounds checks, for hunting a memory fault.
SAFE = os.environ.get("BALAS_SAFE") == "1"
# BALAS_BUILD_ONLY="balas.protocol.*,balas_bloom.*" limits a build in place to the named extensions.
ONLY = os.environ.get("BALAS_BUILD_ONLY", "*").split(",")
JOBS = int(os.environ.get("BALAS_BUILD_JOBS", os.cpu_count() or 1))

# Beside these stands a .pxd that passes on types of others; they have nothing to compile.
PASSED_ON = {"balas.api"}

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": SAFE,
    "wraparound": SAFE,
    "initializedcheck": SAFE,
    "cdivision": True,
    "embedsignature": True,
    "embedsignature.format": "python",
    # In a .pyx C types are declared where they are meant, and annotations are for readers.
    "annotation_typing": False,
}
# A .py that is compiled as it stands gets its C types from annotations: `ctx: Context`, with
# Context cimported in the .pxd.
PYTHON_DIRECTIVES = {**DIRECTIVES, "annotation_typing": True, "infer_types": None}


# gcc takes True and False for too small to be looked at as anything but an object, and says so at
# every inlined type check.
COMPILER_ARGUMENTS = ["-O2", "-fno-strict-aliasing", "-g0", "-Wno-array-bounds"]


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
    return [
        (name, path)
        for name, path in found
        if name not in PASSED_ON and any(fnmatch.fnmatch(name, only) for only in ONLY)
    ]


def package_roots() -> dict[str, str]:
    """The folder of each top-level package, as setuptools wants it."""
    return {
        package: str(root / package)
        for root in ROOTS
        for package in find_packages(str(root))
        if "." not in package
    }


def extensions(suffix: str, directives: dict[str, object]) -> list[Extension]:
    """The extensions made from sources with this suffix."""
    made = [
        Extension(name, [str(path)], extra_compile_args=COMPILER_ARGUMENTS)
        for name, path in sources()
        if path.suffix == suffix
    ]
    return cythonize(
        made,
        include_path=[str(root) for root in ROOTS],
        compiler_directives=directives,
        nthreads=JOBS,
    )


setup(
    packages=[package for root in ROOTS for package in find_packages(str(root))],
    package_dir=package_roots(),
    options={"build_ext": {"parallel": JOBS}},
    ext_modules=[*extensions(".pyx", DIRECTIVES), *extensions(".py", PYTHON_DIRECTIVES)],
)
