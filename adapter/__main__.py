"""`python -m adapter` is the `remesh` command."""

from adapter.cli.main import main

main()
