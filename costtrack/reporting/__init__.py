"""What usage has cost: sums of the summaries, of conversations and entities, and reports made of them.

Plain reads, each of which returns frozen values. `organizations` is always the same argument: None means every
organization, a collection only those in it, so an empty one gives nothing.
"""
