"""Zalo's web client's server, played on loopback: login by QR code, API, uploads and the WebSocket."""
