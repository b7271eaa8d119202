"""Hostile submissions: none may gain a point, harm another's grade or outlive its check.

Each is bounded in itself (at most fifty short-lived children, 1.5 GB of memory, 200 MB of disk
or prints, sixty seconds of sleep, sockets to 127.0.0.1 only), so that a missing guard fails a
test without harming the machine.
"""
