"""The demo plant: simulated or recorded machines, played on real nodes into a real gateway."""
