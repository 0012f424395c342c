"""The `certaudit` command. Modules here import the engines inside functions: help stays fast."""
