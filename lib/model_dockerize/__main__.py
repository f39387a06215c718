"""`python -m model_dockerize` is the command `model-dockerize`."""

from model_dockerize.cli import main

main()
