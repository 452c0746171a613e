"""The test suite. It mirrors the package `costtrack`, and has a folder each for stories and faults."""
