"""Window to Score."""
