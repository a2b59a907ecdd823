"""What each operator does: a module per sort, a function per operator that compiles its parts."""
