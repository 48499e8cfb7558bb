"""The tests of tossl."""
