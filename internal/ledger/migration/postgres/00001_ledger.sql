-- The columns are told in the schema for SQLite; times are Unix milliseconds in
-- UTC. What follows is different here.

-- +goose Up
CREATE TABLE notification (
    seq        bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- with gaps
    state      text    NOT NULL,
    attempt    integer NOT NULL,
    tries      integer NOT NULL,
    priority   integer NOT NULL,
    lane       integer,
    not_before bigint,
    expires_at bigint,
    owner      text,
    settle_at  bigint,
    settle     text,
    settled    text,
    poll_at    bigint,
    run        bigint,
    created    bigint  NOT NULL,
    generation integer NOT NULL,
    id         bigint  NOT NULL,
    phone      bigint,
    source     text    NOT NULL,
    row_key    text    NOT NULL COLLATE "C", -- in the order of its bytes: the start of a key is a range
    message    text    NOT NULL,
    history    text    NOT NULL
) WITH (
    -- Each step of a message writes its row anew. Room in the page keeps the new
    -- one beside the old, and where no index has the change, out of the indexes.
    fillfactor = 60,
    -- What is done is not many rows among all, so a share of the table comes too
    -- late: the indexes of the loops would fill with rows that have moved on.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0.05
);

CREATE UNIQUE INDEX notification_key   ON notification (row_key, source, generation);
CREATE INDEX        notification_id    ON notification (id);
CREATE INDEX        notification_phone ON notification (phone) WHERE phone IS NOT NULL;

CREATE INDEX notification_lane     ON notification (lane, not_before, seq) WHERE lane IS NOT NULL;
CREATE INDEX notification_in_hands ON notification (owner)                 WHERE owner IS NOT NULL;
CREATE INDEX notification_settle   ON notification (settle_at, seq)        WHERE settle_at IS NOT NULL;
CREATE INDEX notification_poll     ON notification (poll_at, seq)          WHERE poll_at IS NOT NULL;
CREATE INDEX notification_parked   ON notification (settle)
    WHERE settle = 'diverged' OR settle = 'gone' OR settle = 'refused';

CREATE TABLE identity (
    phone bigint PRIMARY KEY,
    name  text   NOT NULL,
    asked bigint NOT NULL
);

CREATE TABLE owner (
    name  text   PRIMARY KEY,
    until bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE run (
    id        bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started   bigint  NOT NULL,
    finished  bigint,
    taking    integer NOT NULL,
    error     text    NOT NULL,
    first_seq bigint  NOT NULL,
    last_seq  bigint,
    tally     text,
    taker     text                   -- the writer that takes in for it
);

-- However many processes start one: only one run is under way.
CREATE UNIQUE INDEX run_under_way ON run ((1)) WHERE finished IS NULL;

CREATE TABLE pause (
    one    integer PRIMARY KEY CHECK (one = 1),
    until  bigint,
    reason text NOT NULL,
    detail text NOT NULL,
    by     text NOT NULL
);

CREATE TABLE pulse (
    one integer PRIMARY KEY CHECK (one = 1),
    at  bigint NOT NULL
) WITH (fillfactor = 50);

-- One row for each process that writes. Every transaction counts its number up,
-- so that whether one was committed can be told after a connection was lost.
CREATE TABLE writer (
    name   text   PRIMARY KEY,
    number bigint NOT NULL,
    seen   bigint NOT NULL
) WITH (fillfactor = 50);

-- Duties that one process has at a time.
CREATE TABLE duty (
    name  text   PRIMARY KEY,
    owner text   NOT NULL,
    until bigint NOT NULL
) WITH (fillfactor = 50);

-- Until when the calls of each kind have been handed out.
CREATE TABLE quota (
    name    text             PRIMARY KEY,
    next    double precision NOT NULL,
    granted integer          NOT NULL -- by the last hand-out
) WITH (fillfactor = 50);

-- When the last message went to a phone, and from when the next one may.
CREATE TABLE recipient (
    phone bigint PRIMARY KEY,
    last  bigint NOT NULL,
    free  bigint NOT NULL
) WITH (fillfactor = 50);
