"""The analysis hook: when a series is complete, analysers look at it, each in a box of its own.

`watching` judges what has arrived and queues, `running` takes one analysis to its end, `box` is
the process it happens in, `measures` are the analysers that come along, `keeping` stores results.
"""
