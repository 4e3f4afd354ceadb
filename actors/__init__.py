"""Actors: bounded mailboxes with back-pressure, and the four kinds of actor that the gateway is made of.

account   one per account: owns the connection, the outbox, and what is shown of both
normalizer  partitions by account: provider events become standard events
writer    one: commits whatever has queued up, in one transaction, and answers each producer
delivery  one per webhook endpoint: what it is owed, in order per conversation
"""
