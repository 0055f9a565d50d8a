"""Which limits cannot hold together, named in words: `search` finds the groups, `words` says them.

`groups` sorts the rows of the model into groups that a user knows, `lp` solves it with chosen groups allowed to bend,
`diagnosis` is the form of the answer.
"""
