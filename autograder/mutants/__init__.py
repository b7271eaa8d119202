"""Realistic wrong submissions, each of which must lose points on exactly the items it should."""
