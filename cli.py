#!/usr/bin/env python3
"""Launcher for a checkout: the same app as the `certaudit` command; not in the wheel."""

from certaudit.cli.main import console

if __name__ == "__main__":
    console()
