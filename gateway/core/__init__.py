"""Plant, evidence, incidents, alarms and the engine; pure."""
