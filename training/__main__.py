"""`python -m training` is `m3train`."""

from training.cli import main

main()
