"""Limits of a personal account. Zalo publishes none: these are what its apps show, and what zca-js uses."""

MEBIBYTE = 1024 * 1024
MAX_DOWNLOAD = 1024 * MEBIBYTE
MAX_UPLOAD = {
    "image": 64 * MEBIBYTE,
    "video": 1024 * MEBIBYTE,
    "audio": 64 * MEBIBYTE,
    "document": 1024 * MEBIBYTE,
}
PARALLEL_SENDS = 4
