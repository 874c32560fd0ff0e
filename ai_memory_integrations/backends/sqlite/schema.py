"""The tables, and the versioned steps that lead to them.

`rowid = subject_no << 32 | seq` keeps what belongs to one subject together in one range of the b-tree, so reading
a subject reads neighbouring pages. Numbers are never used twice: a cached snapshot of a deleted subject cannot be
taken for a new one. Times are microseconds since 1970 in UTC.

A table that was written afresh after a deletion (see `erasure`) has indexes whose names end in `_2`, and after the
next time not: a step that drops an index looks for both.
"""

from __future__ import annotations

APPLICATION_ID = 0x41494D49  # "AIMI": tells our files from other SQLite files
SEQ_BITS = 32

_FIRST = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE subject(
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    subject_id TEXT NOT NULL UNIQUE,
    agent_id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    message_seq INTEGER NOT NULL DEFAULT 0,
    passage_seq INTEGER NOT NULL DEFAULT 0,
    passage_ver INTEGER NOT NULL DEFAULT 0,
    vector_seq INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX subject_unembedded ON subject(no) WHERE vector_seq < passage_seq;

CREATE TABLE block(
    subject INTEGER NOT NULL,
    label TEXT NOT NULL,
    block_id TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    value TEXT NOT NULL,
    max_chars INTEGER NOT NULL,
    read_only INTEGER NOT NULL,
    version INTEGER NOT NULL,
    place INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY(subject, place, label)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX block_label ON block(subject, label);

CREATE TABLE block_version(
    subject INTEGER NOT NULL,
    block_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    value TEXT NOT NULL,
    actor TEXT NOT NULL,
    run_id TEXT,
    message_ids TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY(subject, block_id, version)
) WITHOUT ROWID, STRICT;

CREATE TABLE note(
    subject INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY(subject, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX note_key ON note(key);

CREATE TABLE passage(
    id INTEGER PRIMARY KEY,
    passage_id TEXT NOT NULL,
    subject INTEGER NOT NULL,
    text TEXT NOT NULL,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at INTEGER,
    role TEXT,
    name TEXT,
    thread_id TEXT,
    message_id TEXT,
    terms BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX passage_key ON passage(subject, passage_id);

CREATE TABLE passage_vector(id INTEGER PRIMARY KEY, vector BLOB NOT NULL) STRICT;

CREATE TABLE message(
    id INTEGER PRIMARY KEY,
    subject INTEGER NOT NULL,
    thread_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    role TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER,
    received_at INTEGER NOT NULL,
    run INTEGER,
    state INTEGER NOT NULL,
    visible INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_key ON message(subject, thread_id, message_id);
CREATE INDEX message_thread ON message(subject, thread_id, id) WHERE visible = 1;
CREATE INDEX message_run ON message(run) WHERE state = 1;

CREATE TABLE run(
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    subject INTEGER NOT NULL,
    learner TEXT NOT NULL,
    state TEXT NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    sealed INTEGER NOT NULL DEFAULT 0,
    patience INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    ended_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    token TEXT,
    owner TEXT,
    lease_until INTEGER NOT NULL DEFAULT 0,
    lease_length INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    edits INTEGER NOT NULL DEFAULT 0,
    passages INTEGER NOT NULL DEFAULT 0,
    skipped TEXT NOT NULL DEFAULT '{}',
    usage TEXT
) STRICT;
CREATE UNIQUE INDEX run_open ON run(subject, learner) WHERE state = 'created' AND sealed = 0;
CREATE UNIQUE INDEX run_in_work ON run(subject) WHERE state = 'running';
CREATE INDEX run_due ON run(learner, due_at) WHERE state IN ('created', 'running');
CREATE INDEX run_failed ON run(subject) WHERE state = 'failed';
CREATE INDEX run_subject ON run(subject, no);

CREATE TABLE item_namespace(no INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE) STRICT;

CREATE TABLE item(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ttl INTEGER,
    expires_at INTEGER
) STRICT;
CREATE UNIQUE INDEX item_key ON item(namespace, key);
CREATE INDEX item_order ON item(namespace, id);
CREATE INDEX item_expiry ON item(expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE item_search(
    id INTEGER PRIMARY KEY,
    terms BLOB NOT NULL,
    embedder TEXT NOT NULL,
    vectors BLOB NOT NULL
) STRICT;

CREATE TABLE item_gone(no INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""Step n leads from schema version n to n + 1. A released step is never changed; new ones are added."""

SCHEMA_VERSION = len(MIGRATIONS)
