"""Prints the fields of aiogram's types. argv: their names; the line is an object of lists."""

import json
import sys

from aiogram import types

fields = {name: getattr(types, name).model_fields for name in sys.argv[1:]}
print(json.dumps({name: [field.alias or key for key, field in of.items()] for name, of in fields.items()}))
