"""The papers, readable: mpmath and fractions, one function an equation; slow, the oracle.

Nothing here is imported by the engines: the reference is a separate transcription, so
that agreement between the two means something.
"""
