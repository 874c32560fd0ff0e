"""What a rule captured, cut to the value it means and checked; "" refuses it.

A rule captures the rest of the clause. A shape ends it where the next thought begins, and drops it when it points at
something outside itself ("it", "your answer") or is longer than a fact should be. The shapes stand by their subjects;
`text` holds what they share.
"""
