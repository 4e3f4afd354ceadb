"""Two devices over a network that delays, reorders, repeats and loses, while either is killed between steps.

The rules of a connector are played. What was read is committed before it is acknowledged, and what was not
acknowledged is delivered again; a send is committed before it goes out, and a kill in between loses it.
Whatever the order: nothing is read that was not written, nothing is read twice, and what arrives is read.
Of a chain that is five turns of the ratchet old the record keeps no key; its messages are refused.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.protocols.signal.devices import Device
from unifyport.protocols.signal.errors import BadMac, Duplicate
from unifyport.protocols.signal.record import MAX_RECEIVING, Record
from unifyport.protocols.signal.sessions import Encrypted


class Conversation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.devices = Device(prekeys=20), Device(prekeys=20)
        self.on_the_way: tuple[list[tuple[int, Encrypted]], ...] = ([], [])  # to each device
        self.read: tuple[set[int], ...] = (set(), set())
        self.written = 0

    @initialize(both=st.booleans())
    def begin(self, both: bool) -> None:
        self.devices[0].start(self.devices[1])
        if both:
            self.devices[1].start(self.devices[0])

    @rule(side=st.sampled_from([0, 1]), killed=st.booleans())
    def send(self, side: int, killed: bool) -> None:
        device = self.devices[side]
        if not device.record.has_session:
            device.start(self.devices[1 - side])
        self.written += 1
        message = device.send(b"%d" % self.written)
        if not killed:  # else the step is durable and its message never leaves
            self.on_the_way[1 - side].append((self.written, message))

    @rule(side=st.sampled_from([0, 1]), data=st.data(), killed=st.booleans(), repeated=st.booleans())
    def deliver(self, side: int, data: st.DataObject, killed: bool, repeated: bool) -> None:
        waiting, device = self.on_the_way[side], self.devices[side]
        if not waiting:
            return
        place = data.draw(st.integers(0, len(waiting) - 1))
        number, message = waiting[place]
        before = device.record
        try:
            plaintext = device.read(message).plaintext if killed else device.receive(message)
        except Duplicate:
            assert number in self.read[side]
        except BadMac:
            assert any(len(session.receiving) == MAX_RECEIVING for session in device.record.sessions())
        else:
            assert plaintext == b"%d" % number
            assert number not in self.read[side]
            if killed:  # before the commit: the message comes again
                assert device.record is before
                return
            self.read[side].add(number)
        if not repeated:  # else the acknowledgement was lost
            waiting.pop(place)

    @rule(side=st.sampled_from([0, 1]), data=st.data())
    def lose(self, side: int, data: st.DataObject) -> None:
        if self.on_the_way[side]:
            self.on_the_way[side].pop(data.draw(st.integers(0, len(self.on_the_way[side]) - 1)))

    @rule(side=st.sampled_from([0, 1]))
    @precondition(lambda self: all(len(list(device.record.sessions())) < 8 for device in self.devices))
    def renew(self, side: int) -> None:
        """As after a retry receipt: the next message goes in a new session."""
        self.devices[side].record = self.devices[side].record.archive()

    @invariant()
    def records_are_stored_as_they_are(self) -> None:
        for device in self.devices:
            assert Record.decode(device.record.encode()) == device.record

    def teardown(self) -> None:
        """Peace: both sides answer each other again, whatever happened."""
        for side in (0, 1):
            if not self.devices[side].record.has_session:
                self.devices[side].start(self.devices[1 - side])
        for _ in range(3):
            for side in (0, 1):
                message = self.devices[side].send(b"peace")
                assert self.devices[1 - side].receive(message) == b"peace"


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
