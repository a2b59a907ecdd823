"""Rows in, frozen structs out; SQL never leaves."""
