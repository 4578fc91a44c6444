"""Settings of the whole suite."""

import os
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from balas.testing import plugin

# Random tests are short in `make test` and long in `make fuzz`; both print how to repeat a failure.
COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
settings.register_profile("fast", max_examples=60, **COMMON)
if examples := os.environ.get("BALAS_FUZZ_EXAMPLES"):
    settings.register_profile("fuzz", max_examples=int(examples), stateful_step_count=100, **COMMON)
settings.load_profile("fuzz" if examples else "fast")


def pytest_configure(config: pytest.Config) -> None:
    """Have the plugin where Balas is on the path but not installed.

    Many servers are started as processes. Where the environment forbids bytecode beside the
    sources, theirs goes to a folder of this run: without any they take twice as long to start.
    """
    if not config.pluginmanager.is_registered(plugin):
        config.pluginmanager.register(plugin, "balas")
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        folder = TemporaryDirectory(prefix="balas-bytecode-")
        config.add_cleanup(folder.cleanup)
        os.environ["PYTHONPYCACHEPREFIX"] = folder.name
