"""What model-dockerize must hold, row by row, and the tests that show it: docs/acceptance.md for readers."""
