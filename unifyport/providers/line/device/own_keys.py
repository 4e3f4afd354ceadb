"""The account's own keys of Letter Sealing: all that it ever had, to read with, and the registered one."""

from unifyport.process.clock import Clock
from unifyport.protocols.letter_sealing import keys
from unifyport.protocols.letter_sealing.keys import KeyPair
from unifyport.providers.contract.errors import Transient

from . import key_structures as of
from . import structures as line
from .call_structures import NoArguments
from .records import NEWEST_KEY, OWN_KEY, Records, number_key, own_key_changes
from .talk import Talk


class OwnKeys:
    """The keys of one account. One that comes of the phone is kept only if the server has it registered."""

    def __init__(self, talk: Talk, records: Records, clock: Clock) -> None:
        self._talk = talk
        self._records = records
        self._clock = clock

    async def get(self, key_id: int) -> KeyPair | None:
        """The pair with this id; None where it is not ours."""
        private = await self._records.get(OWN_KEY, number_key(key_id))
        return KeyPair(key_id, private) if private is not None else None

    async def newest(self) -> KeyPair:
        """The account's registered pair, registered anew where it has none. Raises failure classes."""
        key_id = await self._records.get(*NEWEST_KEY)
        pair = await self.get(int.from_bytes(key_id)) if key_id is not None else None
        return pair if pair is not None else await self.register()

    async def register(self) -> KeyPair:
        """Register a new pair of the account. Raises failure classes."""
        made = keys.generate()
        key = line.PublicKey(version=1, key_id=0, data=made.public.data, created=self._clock.now_ms())
        found: line.PublicKey = await self._talk.write(
            "registerE2EEPublicKey", of.RegisterPublicKeyArguments(0, key)
        )
        registered = of.public_key(found)
        if registered is None or registered.data != made.public.data:
            raise Transient("malformed_answer", maybe_applied=True)
        pair = KeyPair(registered.key_id, made.private)
        await self._records.commit(own_key_changes([pair], pair.key_id))
        return pair

    async def adopt(self, pairs: list[KeyPair]) -> None:
        """Keep those of the phone's key chain that the server has registered. Raises failure classes."""
        found = await self._talk.read("getE2EEPublicKeys", NoArguments())
        registered = {key.key_id: key for one in found if (key := of.public_key(one)) is not None}
        ours = [
            pair for pair in pairs if pair.key_id in registered and pair.belongs_to(registered[pair.key_id])
        ]
        if not ours:
            await self.register()
            return
        await self._records.commit(own_key_changes(ours, max(pair.key_id for pair in ours)))
