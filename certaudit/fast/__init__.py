"""Decisions at the price of a float: proven bounds of float64 sums, balls where those are open."""
