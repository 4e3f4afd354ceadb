"""The Noise protocol `Noise_XX_25519_AESGCM_SHA256`, both roles, without I/O
(https://noiseprotocol.org/noise.html).
"""

from unifyport.protocols.noise.handshake import Handshake, Initiator, Responder
from unifyport.protocols.noise.state import NoiseError
from unifyport.protocols.noise.transport import Transport

__all__ = ["Handshake", "Initiator", "NoiseError", "Responder", "Transport"]
