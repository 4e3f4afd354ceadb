"""MTProto 2.0, the protocol of Telegram's clients, client and server side, without I/O
(https://core.telegram.org/mtproto).

    transports, obfuscation    bytes of a TCP stream <-> packets
    exchange                   the authorization key, from packets in the clear
    encryption                 packet <-> message, with the checks of the security guidelines
    messages, unpacking        message <-> service messages, results and updates
    session, server_session    calls, answers, acknowledgements, salts, clocks, repetition
    rpc_errors                 what an error of a call asks for

Objects of the API stay bytes; a TL library reads them. `now` is always the wall clock in seconds of the
epoch.
"""
