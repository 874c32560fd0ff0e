"""The tables, and the versioned steps that lead to them.

In statements `ai_memory.` stands for the schema that a store has. What belongs to one subject carries its number in
front of every key, so that a table can be partitioned by it. Numbers are never used twice: a cached snapshot of a
deleted subject cannot be taken for a new one. Times are microseconds since 1970 in UTC by the database's clock.
"""

from __future__ import annotations

APPLICATION = "ai-memory-integrations"
OLDEST_SERVER = 14

_FIRST = """
CREATE TABLE ai_memory.meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE FUNCTION ai_memory.now_us() RETURNS BIGINT LANGUAGE sql VOLATILE
    AS 'SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)';

CREATE TABLE ai_memory.subject(
    no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_id TEXT COLLATE "C" NOT NULL UNIQUE,
    agent_id TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    message_seq BIGINT NOT NULL DEFAULT 0,
    passage_seq BIGINT NOT NULL DEFAULT 0,
    passage_ver BIGINT NOT NULL DEFAULT 0,
    vector_seq BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX subject_unembedded ON ai_memory.subject(no) WHERE vector_seq < passage_seq;

CREATE TABLE ai_memory.block(
    subject BIGINT NOT NULL,
    label TEXT NOT NULL,
    block_id TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    value TEXT NOT NULL,
    max_chars BIGINT NOT NULL,
    read_only BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    place BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (subject, label)
);

CREATE TABLE ai_memory.block_version(
    subject BIGINT NOT NULL,
    block_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    value TEXT NOT NULL,
    actor TEXT NOT NULL,
    run_id TEXT,
    message_ids TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (subject, block_id, version)
);

CREATE TABLE ai_memory.note(
    subject BIGINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (subject, key)
);
CREATE INDEX note_key ON ai_memory.note(key);

CREATE TABLE ai_memory.passage(
    subject BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    passage_id TEXT NOT NULL,
    text TEXT NOT NULL,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at BIGINT,
    role TEXT,
    name TEXT,
    thread_id TEXT,
    message_id TEXT,
    terms BYTEA NOT NULL,
    PRIMARY KEY (subject, seq)
);
CREATE UNIQUE INDEX passage_key ON ai_memory.passage(subject, passage_id);

CREATE TABLE ai_memory.passage_vector(
    subject BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    vector BYTEA NOT NULL,
    PRIMARY KEY (subject, seq)
);
ALTER TABLE ai_memory.passage_vector ALTER COLUMN vector SET STORAGE EXTERNAL;

CREATE TABLE ai_memory.message(
    subject BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    thread_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    role TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT,
    received_at BIGINT NOT NULL,
    run BIGINT,
    state SMALLINT NOT NULL,
    visible BOOLEAN NOT NULL,
    PRIMARY KEY (subject, seq)
);
CREATE UNIQUE INDEX message_key ON ai_memory.message(subject, thread_id, message_id);
CREATE INDEX message_thread ON ai_memory.message(subject, thread_id, seq) WHERE visible;
CREATE INDEX message_run ON ai_memory.message(run) WHERE state = 1;

CREATE TABLE ai_memory.run(
    no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    subject BIGINT NOT NULL,
    learner TEXT NOT NULL,
    state TEXT NOT NULL,
    messages BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    sealed BOOLEAN NOT NULL DEFAULT FALSE,
    patience BIGINT NOT NULL DEFAULT 0,
    started_at BIGINT,
    ended_at BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    token TEXT,
    owner TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0,
    lease_length BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    edits BIGINT NOT NULL DEFAULT 0,
    passages BIGINT NOT NULL DEFAULT 0,
    skipped TEXT NOT NULL DEFAULT '{}',
    usage TEXT
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX run_open ON ai_memory.run(subject, learner) WHERE state = 'created' AND NOT sealed;
CREATE UNIQUE INDEX run_in_work ON ai_memory.run(subject) WHERE state = 'running';
CREATE INDEX run_due ON ai_memory.run(learner, due_at) WHERE state IN ('created', 'running');
CREATE INDEX run_failed ON ai_memory.run(subject) WHERE state = 'failed';
CREATE INDEX run_subject ON ai_memory.run(subject, no);

CREATE TABLE ai_memory.item_state(last BIGINT NOT NULL, gone BIGINT NOT NULL);
INSERT INTO ai_memory.item_state VALUES (0, 0);

CREATE TABLE ai_memory.item_namespace(
    no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path BYTEA NOT NULL UNIQUE
);

CREATE TABLE ai_memory.item(
    id BIGINT PRIMARY KEY,
    namespace BIGINT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ttl BIGINT,
    expires_at BIGINT
);
CREATE UNIQUE INDEX item_key ON ai_memory.item(namespace, key);
CREATE INDEX item_order ON ai_memory.item(namespace, id);
CREATE INDEX item_expiry ON ai_memory.item(expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE ai_memory.item_search(
    id BIGINT PRIMARY KEY,
    terms BYTEA NOT NULL,
    embedder TEXT NOT NULL,
    vectors BYTEA NOT NULL
);
ALTER TABLE ai_memory.item_search ALTER COLUMN vectors SET STORAGE EXTERNAL;

CREATE TABLE ai_memory.item_gone(no BIGINT PRIMARY KEY, id BIGINT NOT NULL);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""Step n leads from schema version n to n + 1. A released step is never changed; new ones are added."""

SCHEMA_VERSION = len(MIGRATIONS)

SUBJECT_TABLES = ("block", "block_version", "note", "passage", "passage_vector", "message", "run")
"""The tables whose rows belong to a subject, by their column `subject`."""
