"""The engines side by side, for two labels and for votes of many classes."""

from certaudit.crosscheck.majority import Comparison, crosscheck
from certaudit.crosscheck.votes import VoteComparison, crosscheck_votes

__all__ = ["Comparison", "VoteComparison", "crosscheck", "crosscheck_votes"]
