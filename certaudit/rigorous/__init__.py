"""The engine every verdict rests on: balls (FLINT/Arb) and integer decisions."""
