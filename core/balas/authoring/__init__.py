"""Tools for those who write modules: `balas module new|test|check`, and `balas --dev`."""
