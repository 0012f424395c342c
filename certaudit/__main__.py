"""`python -m certaudit`: the same as the `certaudit` command."""

from certaudit.cli.main import console

if __name__ == "__main__":
    console()
