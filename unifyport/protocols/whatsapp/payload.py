"""What a client tells of itself in the handshake: a new device's keys, or which device logs in.

The payload of a device is the same at each of its logins except for `logins`: identifiers that change from
connection to connection make the platform drop what the device sends, although it answers `<success>`. Facts:
whatsmeow `store/clientpayload.go` (https://github.com/tulir/whatsmeow), Baileys
`Utils/validate-connection.ts`.
"""

import hashlib

import attrs

from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp.login_pb2 import ClientPayload, DeviceProps

_Props = DeviceProps
_UserAgent = ClientPayload.UserAgent
_KEY_TYPE = b"\x05"  # Curve25519, as in Signal's messages


@attrs.frozen
class Appearance:
    """How the linked device looks: to the platform by its version, to the owner in the list of linked
    devices.

    `version` is the version of the web client that is played; a platform that finds it too old answers
    failure 405. `browser` is a name of `DeviceProps.PlatformType`. Odd names make phones refuse the link.
    """

    version: tuple[int, int, int]
    name: str = "Ubuntu"
    browser: str = "CHROME"
    language: str = "en"
    country: str = "US"


@attrs.frozen
class Registration:
    """The public keys of a device that is to be linked; `registration_id` is 1 to 16,380."""

    registration_id: int
    identity: bytes
    signed_prekey_id: int
    signed_prekey: bytes
    signature: bytes


def registration_payload(appearance: Appearance, registration: Registration) -> bytes:
    """The payload of a device that is to be linked. Raises `ValueError` for an unknown browser."""
    payload = _common(appearance)
    payload.passive = False
    payload.pull = False
    data = payload.devicePairingData
    data.eRegid = registration.registration_id.to_bytes(4, "big")
    data.eKeytype = _KEY_TYPE
    data.eIdent = registration.identity
    data.eSkeyID = registration.signed_prekey_id.to_bytes(3, "big")
    data.eSkeyVal = registration.signed_prekey
    data.eSkeySig = registration.signature
    version = ".".join(map(str, appearance.version))
    data.buildHash = hashlib.md5(version.encode(), usedforsecurity=False).digest()
    data.deviceProps = _device_props(appearance).SerializeToString()
    return payload.SerializeToString()


def login_payload(appearance: Appearance, device: Jid, *, logins: int) -> bytes:
    """The payload of a linked device. `logins` counts the device's successful logins before this one."""
    payload = _common(appearance)
    payload.username = int(device.user)
    payload.device = device.device
    payload.passive = True
    payload.pull = True
    payload.lc = logins + 1
    payload.lidDbMigrated = True
    return payload.SerializeToString()


def _common(appearance: Appearance) -> ClientPayload:
    primary, secondary, tertiary = appearance.version
    agent = _UserAgent(
        platform=_UserAgent.WEB,
        appVersion=_UserAgent.AppVersion(primary=primary, secondary=secondary, tertiary=tertiary),
        mcc="000",
        mnc="000",
        osVersion="0.1",
        manufacturer="",
        device="Desktop",
        osBuildNumber="0.1",
        releaseChannel=_UserAgent.RELEASE,
        localeLanguageIso6391=appearance.language,
        localeCountryIso31661Alpha2=appearance.country,
    )
    return ClientPayload(
        userAgent=agent,
        webInfo=ClientPayload.WebInfo(webSubPlatform=ClientPayload.WebInfo.WEB_BROWSER),
        connectType=ClientPayload.WIFI_UNKNOWN,
        connectReason=ClientPayload.USER_ACTIVATED,
    )


def _device_props(appearance: Appearance) -> DeviceProps:
    return _Props(
        os=appearance.name,
        version=_Props.AppVersion(primary=10, secondary=15, tertiary=7),
        platformType=appearance.browser,
        requireFullSync=False,
        historySyncConfig=_Props.HistorySyncConfig(
            storageQuotaMb=10240,
            inlineInitialPayloadInE2EeMsg=True,
            supportCallLogHistory=False,
            supportBotUserAgentChatHistory=True,
            supportCagReactionsAndPolls=True,
            supportBizHostedMsg=True,
            supportRecentSyncChunkMessageCountTuning=True,
            supportHostedGroupMsg=True,
            supportFbidBotChatHistory=True,
            supportMessageAssociation=True,
            supportGroupHistory=False,
        ),
    )
