"""From power flows to what the inverter executes: an exact dynamic program over composites.

Heating and base load are fixed; what is left is one stored quantity and a choice among few modes, which a dynamic
program over (slot, running option, slots it has run, SOC in steps of about 1 %) solves exactly, dwell times, price per
change, wear, taper and soft targets included. Binaries for the same logic take a MILP solver minutes.

A charge or discharge option that stops early rests: battery first at its stop SOC, and grid first at its, neither
charge nor discharge. So resting after either belongs to the same run, for the stop SOC that ends it.
"""
