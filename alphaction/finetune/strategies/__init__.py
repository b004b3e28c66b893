"""Which parts train when: one class a strategy."""
