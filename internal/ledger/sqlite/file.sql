-- Of a ledger that is a file, which one process at a time works on.

-- name: take_over_leases
-- At the start: no other process is alive, so all leases are over.
DELETE FROM owner;

-- name: take_over_runs
-- At the start: a run that was taking in takes in no more.
UPDATE run SET taking = 0, error = ?1, last_seq = (SELECT max(seq) FROM notification)
WHERE finished IS NULL AND taking = 1;

-- name: mark
-- At the start: by what the file is known.
SELECT id, count FROM lineage;

-- name: changes
-- Every second: whether anything was written since.
SELECT total_changes();

-- name: count_mark
-- Every second in which something was written: the file counts up, and the mark beside it follows.
UPDATE lineage SET count = count + 1 RETURNING id, count;

-- name: begin_transaction
-- Each transaction. It takes the lock at once: one that reads first could find the lock taken when it
-- wants to write, and would have to start again.
BEGIN IMMEDIATE;

-- name: commit
-- The end of each transaction: what it has changed is on the disk.
COMMIT;

-- name: rollback
-- A transaction that failed: it has changed nothing.
ROLLBACK;
