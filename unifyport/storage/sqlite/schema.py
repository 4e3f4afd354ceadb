"""The SQLite schema and its migrations: forward only, numbered by `PRAGMA user_version`.

A row number that is stored elsewhere is AUTOINCREMENT, so that it is never used twice. Every table is STRICT.
`OR IGNORE` and `OR REPLACE` hide constraint violations, so this room does not use them.
"""

import os

import sqlite_utils

from ..contract import SchemaTooNew

_V1 = """
create table meta(key text primary key, value blob not null) strict, without rowid;

create table workspace(
  one integer primary key check(one = 1), name text not null, status text not null, metadata text not null
) strict;
insert into workspace values (1, 'UnifyPort', 'active', '{}');

create table api_key(
  id text primary key, name text not null, prefix text not null, hash blob not null unique,
  status text not null, created_at integer not null, last_used_at integer, origin text not null
) strict, without rowid;

create table lease(  -- which process may act for a resource: 'account:...', 'endpoint:...', 'job:...'
  resource text primary key, owner text, epoch integer not null default 0
) strict, without rowid;

create table account(
  no integer primary key autoincrement, id text not null unique, name text not null,
  provider text not null, channel text not null, region text not null, auth_mode text not null,
  status text not null, desired text not null check(desired in ('running', 'stopped')),
  auth_status text not null, last_error text,
  terminal text,        -- why it must not be restarted; survives a restart of the process
  not_before integer,   -- the platform asked to wait until then, unix ms
  provider_account_ref text, profile text not null, metadata text not null, capabilities text,
  credentials blob,     -- sealed
  receive text not null,
  origin text not null check(origin in ('api', 'file')), digest text,
  version integer not null, created_at integer not null, updated_at integer not null
) strict;
create unique index account_identity on account(channel, provider_account_ref)
  where provider_account_ref is not null;
create unique index account_declared on account(name) where origin = 'file';

create table session(  -- connection state: one row per record, not one blob per account
  account_no integer not null references account(no) on delete cascade,
  name text not null, key blob not null, sealed blob not null,
  primary key(account_no, name, key)
) strict, without rowid;

create table seen(  -- one row per provider event; outlives the event rows
  account_no integer not null, key blob not null, day integer not null,
  primary key(account_no, key)
) strict, without rowid;

create index seen_day on seen(day);

create table quarantine(
  n integer primary key autoincrement, account_no integer not null, key blob not null,
  at integer not null, reason text not null, payload blob not null  -- sealed
) strict;

create table event(
  seq integer primary key autoincrement,  -- commit order
  id text not null unique, account_no integer, kind integer not null check(kind between 0 and 62),
  lane integer not null, occurred_at integer not null, committed_at integer not null,
  expires_at integer, body blob not null
) strict;
create index event_account on event(account_no, seq);

create table endpoint(
  no integer primary key autoincrement, id text not null unique, name text, url text not null,
  status text not null, reason text, mask integer not null, subscribed text not null,
  secret blob, retry text not null, failing_since integer, expired integer not null default 0,
  rounds integer not null default 0,
  origin text not null check(origin in ('api', 'file')), digest text, version integer not null
) strict;
create unique index endpoint_declared on endpoint(name) where origin = 'file';

create table delivery(  -- a row here: this endpoint is owed this event
  endpoint_no integer not null, seq integer not null, round integer not null default 0,
  lane integer not null, attempts integer not null default 0,
  due integer,          -- null: fresh; else unix ms of the next attempt
  error text,
  primary key(endpoint_no, seq, round)
) strict, without rowid;
create index delivery_due on delivery(endpoint_no, due, seq) where due is not null;

create table dead(  -- dead letters keep their own copy of the body
  endpoint_no integer not null, seq integer not null, round integer not null, event_id text not null,
  account_no integer, kind integer not null, lane integer not null, occurred_at integer not null,
  attempts integer not null, reason text not null, status integer, died_at integer not null,
  body blob not null,
  primary key(endpoint_no, seq, round)
) strict, without rowid;

create index dead_died on dead(died_at);

create table attempt(  -- history that the API shows; nothing depends on it
  n integer primary key autoincrement, id text not null, endpoint_no integer not null,
  seq integer not null, round integer not null, attempt integer not null, at integer not null,
  ms integer not null, status integer, error text
) strict;
create index attempt_endpoint on attempt(endpoint_no, n);

create table command(
  id text primary key, account_no integer not null, account_id text not null, kind text not null,
  key text, body_hash blob, body blob not null,  -- body sealed
  state text not null check(state in ('accepted','sending','sent','rejected','not_sent','unknown')),
  epoch integer, client_ref text, deadline integer not null, answer text,
  created_at integer not null, finished_at integer
) strict, without rowid;
create unique index command_key on command(key) where key is not null;
create index command_finished on command(finished_at) where finished_at is not null;
create index command_open on command(account_no) where state in ('accepted', 'sending');
"""

_V2 = """
alter table account add column proxy blob;  -- sealed
-- counted up by new credentials; writes of an older login are ignored
alter table account add column login integer not null default 0;

create table deleted_account(  -- webhooks of a platform for one of these are answered "gone"
  id text primary key, at integer not null
) strict, without rowid;
create index deleted_account_at on deleted_account(at);
"""

_V3 = """
alter table endpoint add column previous_secret blob;  -- sealed
alter table endpoint add column previous_until integer;
alter table endpoint add column delivery text not null default '{}';
-- counted up by each replay and each extra attempt that is ordered
alter table endpoint add column orders integer not null default 0;
alter table endpoint add column debt integer not null default 0;  -- counted up when debts are dropped
-- number of replayed rows: each has its ordinal as its due
alter table endpoint add column replayed integer not null default 0;
alter table endpoint add column expired_at integer;  -- time of the last event about expired debts

-- one extra attempt now, outside the count
alter table delivery add column manual integer not null default 0;
create index delivery_manual on delivery(endpoint_no, seq, round) where manual = 1;

create index dead_event on dead(endpoint_no, event_id);
alter table dead add column response blob;
alter table dead add column response_size integer not null default 0;

-- endpoints whose deliveries, dead letters and attempts are still to be purged, a page at a time
create table deleted_endpoint(no integer primary key) strict;

create index event_expires on event(expires_at) where expires_at is not null;

drop table attempt;
create table attempt(  -- history that the API shows; nothing depends on it. Deleted with its event
  endpoint_no integer not null, seq integer not null, round integer not null, attempt integer not null,
  outcome text not null, at integer not null, ms integer not null, status integer, error text,
  response blob, response_size integer not null,
  primary key(endpoint_no, seq, round, attempt)
) strict, without rowid;
"""

_V4 = """
alter table account add column auth_payload blob;  -- sealed: what the login shows, such as a QR code
alter table account add column auth_sequence integer not null default 0;
alter table account add column auth_expires_at integer;
"""

_V5 = """
-- receipts find a send by the id that the platform got
create unique index command_ref on command(account_no, client_ref) where client_ref is not null;
"""

_V6 = """
create table original(  -- what came in, of events that do not hold it; goes with its event
  event_id text primary key, account_no integer not null, message blob not null,
  sealed blob not null
) strict, without rowid;
create index original_message on original(account_no, message);

create table alias(  -- which id a conversation has in events, by every id that the platform has for it
  account_no integer not null references account(no) on delete cascade,
  id text not null, type text not null, canonical text not null, lane text not null,
  identity_type text, identity_id text, learnt_at integer not null, previous integer not null,
  primary key(account_no, id)
) strict, without rowid;
create index alias_canonical on alias(account_no, canonical);
"""

_V7 = """
alter table account add column take_over integer not null default 0 check(take_over in (0, 1));
"""

_V8 = """
-- ids of conversations are personal data: sealed, found by a keyed hash (`aliases.py`, which moves the rows)
create table if not exists alias(  -- databases of version 6 were made without it for a while
  account_no integer not null references account(no) on delete cascade,
  id text not null, type text not null, canonical text not null, lane text not null,
  identity_type text, identity_id text, learnt_at integer not null, previous integer not null,
  primary key(account_no, id)
) strict, without rowid;
drop index if exists alias_canonical;
alter table alias rename to plain_alias;
create table alias(
  account_no integer not null references account(no) on delete cascade,
  id blob not null, canonical blob not null,  -- hashes
  type text not null, learnt_at integer not null, previous integer not null, used_at integer not null,
  sealed blob not null,
  primary key(account_no, id)
) strict, without rowid;
create index alias_canonical on alias(account_no, canonical);
create index alias_used on alias(used_at);
"""

_V9 = """
create table message(  -- what became of a message: its newest edit, and whether it was deleted
  account_no integer not null, key blob not null,
  edited_at integer, edit_number integer, deleted integer not null default 0, day integer not null,
  primary key(account_no, key)
) strict, without rowid;
create index message_day on message(day);
"""

_V10 = """
alter table account add column media_fetch text not null default ''
  check(media_fetch in ('', 'on_link', 'on_receive'));
"""

_V11 = """
alter table api_key add column expires_at integer;  -- unix ms
"""

MIGRATIONS = [_V1, _V2, _V3, _V4, _V5, _V6, _V7, _V8, _V9, _V10, _V11]


def migrate(database: sqlite_utils.Database) -> None:
    """Migrate a database to this program's schema. Raises `SchemaTooNew` before it writes anything."""
    version = check_version(database)
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        database.conn.executescript(f"begin immediate;\n{script}\npragma user_version = {number};\ncommit;")
    if not database["meta"].count_where("key = 'lane_key'"):
        database.execute("insert into meta(key, value) values ('lane_key', ?)", [os.urandom(16)])


def check_version(database: sqlite_utils.Database) -> int:
    version = int(database.execute("pragma user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise SchemaTooNew(
            f"the database has schema {version}, this program knows {len(MIGRATIONS)}: "
            "use the newer version of UnifyPort that wrote it"
        )
    return version
