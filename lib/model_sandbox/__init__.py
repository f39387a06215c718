"""AWS on this computer, as `model-dockerize sandbox start` starts it.

Its contract with the tool: the command line of `__main__`, the file of `record`, AWS's calls, `/_sandbox/health`, and
the label on every container (docs/sandbox.md).
"""
