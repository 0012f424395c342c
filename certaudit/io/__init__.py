"""Readers and writers: data sets, run folders. Reading never executes or unpickles anything."""
