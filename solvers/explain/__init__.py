"""Reasons and prices of a plan, asked for on demand: decision cards and the marginal table.

`questions` and `answers` are the two ends that the worker knows; `explainer` makes the card of an executed plan,
`relaxed` that of a plan without modes, `marginal` the table. `probe` solves the kept model again with something forced,
`barred` chooses modes with some of them forbidden, `flips` looks for the price at which a decision turns.
"""
