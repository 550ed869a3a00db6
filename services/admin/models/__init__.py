"""Models: their versions, the gate's verdict, promotion and rollback."""
