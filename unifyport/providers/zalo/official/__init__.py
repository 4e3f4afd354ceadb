"""Official Accounts, over the Official Account API (https://docs.zaloplatforms.com/docs/OA)."""
