"""Names of the marks that more than one part reads or writes: numbers that the journal keeps beside its entries."""

EPOCH = "epoch"
"""Of the keys downward (nodes/wire/SPEC.md, "Epoch")."""

DOWN = "down/"
"""`down/NODE#GENERATION`: the partial IVs downward below this number are used or reserved."""

DOWN_FROM = "down_from"
"""Where partial IVs downward begin for a node that has no mark of its own."""
