"""The list of what model-dockerize must hold, with the tests that show each row: docs/acceptance.md for readers."""
