-- What goes on around the statements: transactions, new connections, and which server of a
-- cluster takes writes. Each process writes over two connections, many changes in one
-- transaction.

-- name: begin_transaction
-- Each transaction that writes.
BEGIN ISOLATION LEVEL READ COMMITTED;

-- name: limits
-- At the start of each transaction that writes or reads a list, and for it alone. The server ends
-- what takes too long ($1 ms) or was left behind. And lists are read by their indexes: how many
-- rows are queued or claimed is never what it was when the statistics were taken, and a bitmap
-- looks up every entry of the index whose row has moved on, which a walk along the index
-- drops. With these settings a scan of three rows looks so dear that the server would
-- compile it first (jit).
SELECT set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $1, true),
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('jit', 'off', true);

-- name: count_transaction
-- Each transaction of a writer has the number after the one before. This fails (number
-- may not be NULL) if the row has another number, or is not there although it should be.
INSERT INTO writer (name, number, seen)
VALUES ($1, CASE WHEN CAST($2 AS bigint) = 1 OR EXISTS (SELECT 1 FROM writer WHERE name = $1) THEN CAST($2 AS bigint) END,
    coalesce(CAST($3 AS bigint), {DatabaseClock}))
ON CONFLICT (name) DO UPDATE SET number = CASE writer.number WHEN excluded.number - 1 THEN excluded.number END, seen = excluded.seen;

-- name: commit
-- The end of each transaction: what it has changed is on the disk.
COMMIT;

-- name: rollback
-- A transaction that failed: it has changed nothing.
ROLLBACK;

-- name: look
-- The connection was lost over COMMIT: returns $2 if that transaction was committed; else it
-- prevents it and returns a higher number. It may be repeated.
INSERT INTO writer (name, number, seen) VALUES ($1, CAST($2 AS bigint) + 1, coalesce(CAST($3 AS bigint), {DatabaseClock}))
ON CONFLICT (name) DO UPDATE SET
    number = greatest(writer.number, CASE writer.number WHEN CAST($2 AS bigint) THEN writer.number ELSE excluded.number END)
RETURNING number;

-- name: backend
-- On a new connection: statements are kept prepared only where the server itself answers, and no
-- pooler, whose process numbers are made up.
SELECT pg_backend_pid();

-- name: last_transaction
-- On a new connection: the number of the writer's last transaction, which tells whether the
-- server has lost it.
SELECT coalesce((SELECT number FROM writer WHERE name = $1), 0);

-- name: server
-- On a new connection: the server, its timeline, and whether a standby must have every commit.
SELECT (SELECT CAST(system_identifier AS text) FROM pg_control_system()) || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
    CAST(current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') NOT IN ('off', 'local') AS integer);

-- name: noted_server
-- On a new connection: the server that the ledger has noted.
SELECT server, safe FROM lineage;

-- name: note_server
-- The ledger notes another server.
UPDATE lineage SET server = $1, safe = $2 WHERE server = $3;

-- name: noticed
-- The ledger has lost something: whether another process has noticed within the last $2 ms.
SELECT count, server, safe, coalesce(coalesce(CAST($1 AS bigint), {DatabaseClock}) - noticed <= CAST($2 AS bigint), false),
    coalesce(CAST($1 AS bigint), {DatabaseClock})
FROM lineage FOR UPDATE;

-- name: skip_numbers
-- The ledger has lost something: the numbers of what was lost are not given out again, because
-- somebody may still work on it, and would record its results for other rows.
SELECT skip_numbers();

-- name: place
-- On each new connection, and from time to time on each host: whether the server takes
-- writes, its timeline, and the cluster it belongs to.
SELECT current_setting('transaction_read_only'),
    CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_walfile_name(pg_current_wal_lsn()) END,
    (SELECT CAST(system_identifier AS text) FROM pg_control_system());

-- name: place_without_cluster
-- The same for a server that does not tell the cluster.
SELECT current_setting('transaction_read_only'),
    CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_walfile_name(pg_current_wal_lsn()) END;

-- name: place_without_timeline
-- The same for one that does not tell the timeline.
SELECT current_setting('transaction_read_only');

-- name: schema
-- At the start, and in pombo migrate: where the tables are.
SELECT current_schema();

-- name: schema_version
-- At the start: which migrations have been run.
SELECT coalesce(max(version_id), 0) FROM {SchemaTable} WHERE is_applied;

-- name: synchronous_commit
-- At the start: whether the server waits for its disk.
SELECT current_setting('synchronous_commit');

-- name: rights
-- pombo doctor: what the account may do.
SELECT current_user, coalesce(current_schema(), ''), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
    (SELECT count(*) = 2 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = current_schema() AND c.relname IN ('notification', '{SchemaTable}')),
    (SELECT coalesce(string_agg(DISTINCT w.word || ' on ' || quote_ident(c.relname), ', '), '')
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
            (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS w (word)
        WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
            AND (SELECT count(*) FROM pg_catalog.pg_class AS l WHERE l.relnamespace = n.oid AND l.relname IN ('notification', '{SchemaTable}')) = 2
            AND (w.word = 'SELECT' OR c.relname <> '{SchemaTable}') AND NOT has_table_privilege(c.oid, w.word));

-- name: migration_lock
-- pombo migrate: one at a time.
SELECT pg_advisory_xact_lock($1);

-- name: strangers
-- pombo migrate, where there is no ledger yet: a table of another program in the schema. (Those of
-- an extension do not count.)
SELECT n.nspname, min(c.relname) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class AS l WHERE l.relnamespace = n.oid AND l.relname = '{SchemaTable}')
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY n.nspname;

-- name: write_events
-- In each transaction that writes, of a process that has EVENTS_URL: changes of state write their
-- events (the trigger outbox_of_change).
SELECT set_config('pombo.events', 'on', true);
