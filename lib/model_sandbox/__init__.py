"""AWS on this computer: the program that `model-dockerize sandbox start` starts, in an environment of its own.

Its contract with the tool: the command line of `__main__`, the file that `record` writes, AWS's calls,
`/_sandbox/health`, and the label on every container (docs/sandbox.md).
"""
